"""The request bodies of embeddings and ranking."""

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, PlainValidator, ValidationInfo, WithJsonSchema

from server.api.embeddings.inputs import SCHEMA, SHAPES, check_count
from server.api.embeddings.normalize import NO_NORM
from server.http.fields import as_string, invalid_value
from server.options.lora import AdapterOptions
from slots.requests.params import Boolean, Integer, Takes

DOCUMENTS = "a list of documents"
Texts = Annotated[Any, Takes(SHAPES), WithJsonSchema(SCHEMA)]


def _read_documents(value: object, info: ValidationInfo) -> list[str]:
    name = str(info.field_name)
    if not isinstance(value, list) or not value:
        raise invalid_value(name, DOCUMENTS, value)
    check_count(name, len(value))
    return [_read_document(f"{name}[{index}]", document) for index, document in enumerate(value)]


def _read_document(name: str, value: object) -> str:
    """Returns a document, which may be an object with its text, as at Jina's."""
    if isinstance(value, dict):
        return as_string(f"{name}.text", value.get("text"))
    return as_string(name, value)


Documents = Annotated[
    list[str] | None,
    Takes(DOCUMENTS),
    PlainValidator(_read_documents),
    WithJsonSchema({"type": "array", "minItems": 1, "items": {"type": ["string", "object"]}}),
]


class EmbeddingRequestBody(AdapterOptions):
    """Body of /embedding."""

    content: Texts = Field(
        None, validation_alias=AliasChoices("content", "input"), description="text to embed, or several of them"
    )
    embd_normalize: Annotated[Integer | None, Takes("-1 or more")] = Field(
        None,
        ge=NO_NORM,
        description="norm to divide by: 2 Euclidean, 1 taxicab, 0 largest number, -1 none; absent: by the flag",
    )


class OpenAiEmbeddingRequestBody(AdapterOptions):
    """Body of /v1/embeddings."""

    input: Texts = Field(description="text to embed, or several of them")
    encoding_format: Annotated[Literal["float", "base64"], Takes("float or base64")] = Field(
        "float", description="numbers, or their bytes as 32-bit little-endian floats"
    )
    dimensions: Annotated[Integer | None, Takes("an integer, 1 or more")] = Field(
        None, description="length to truncate embeddings to; absent: as the model's"
    )


class OllamaEmbedBody(AdapterOptions):
    """Body of /api/embed."""

    input: Texts = Field("", description="text to embed, or several of them; an empty one loads the model")
    truncate: Boolean = Field(True, description="cut off the end of a text that is too long")
    dimensions: Annotated[Integer | None, Takes("0 or more")] = Field(
        None, ge=0, description="length to truncate embeddings to; absent, 0: as the model's"
    )
    keep_alive: Any = Field(None, description="accepted: the model stays loaded")
    options: Annotated[dict[str, Any], Takes("an object")] = Field({}, description="accepted, without effect")


class OllamaEmbeddingsBody(AdapterOptions):
    """Body of /api/embeddings."""

    prompt: str = Field("", description="text to embed; an empty one loads the model")
    keep_alive: Any = Field(None, description="accepted: the model stays loaded")
    options: Annotated[dict[str, Any], Takes("an object")] = Field({}, description="accepted, without effect")


class RerankRequestBody(AdapterOptions):
    """Body of /rerank. One with `texts` is in the format of Text Embeddings Inference, others are in Jina's."""

    documents: Documents = Field(None, description="texts to rank")
    texts: Documents = Field(None, description="texts to rank")
    query: str = Field(description="text to compare them with")
    top_n: Annotated[Integer | None, Takes("1 or more")] = Field(
        None, ge=1, description="number of results to return; absent: all"
    )
    return_documents: Boolean = Field(False, description="return the documents as well")
    return_text: Boolean = Field(False, description="return the texts as well")
