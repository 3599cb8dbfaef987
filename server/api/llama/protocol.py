"""The request bodies of llama.cpp's dialect."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AliasChoices, Field, PlainValidator, ValidationInfo, WithJsonSchema

from server.api.llama.slot_files import FILE_NAMES, as_file_name
from server.chat.request import ChatFields
from server.generation.infill_prompt import MIXED_SHAPES, Chunk
from server.generation.prompt_media import Images, read_image_data
from server.generation.prompts import SCHEMA as PROMPT_SCHEMA
from server.generation.prompts import SHAPES as PROMPT_SHAPES
from server.http.errors import ApiError
from server.http.fields import as_string, invalid_value
from server.http.request_model import RequestBody
from server.options.generation_options import GenerationOptions
from slots.requests.params import Boolean, Integer, Takes
from slots.requests.sampling_params import MAX_N_PROBS

if TYPE_CHECKING:
    from slots.engine import Engine

CHUNKS = "a list of objects with text and filename"
TOKENS = "a list of token ids"
STRING = {"type": "string"}
UNNAMED = "tmp"


def _read_chunks(value: object) -> list[Chunk]:
    if not isinstance(value, list):
        raise invalid_value("input_extra", CHUNKS, value)
    return [_read_chunk(f"input_extra[{index}]", chunk) for index, chunk in enumerate(value)]


def _read_chunk(name: str, value: object) -> Chunk:
    if not isinstance(value, dict):
        raise invalid_value(name, "an object with text and filename", value)
    filename = value.get("filename")
    return Chunk(
        filename=UNNAMED if filename is None else as_string(f"{name}.filename", filename),
        text=as_string(f"{name}.text", value.get("text")),
    )


def _read_images(value: object, info: "ValidationInfo[Engine]") -> Images:
    if value != [] and info.context.media is None:
        raise ApiError(501, "image_data: not supported by a server without --mmproj, expected [] or no such option")
    return read_image_data(value)


IMAGE_DATA = "a list of objects with data and id"
ImageData = Annotated[
    Images | None,
    Takes(IMAGE_DATA),
    PlainValidator(_read_images),
    WithJsonSchema(
        {"type": "array", "items": {"type": "object", "properties": {"data": STRING, "id": {"type": "integer"}}}}
    ),
]
Mixed = Annotated[
    Any,
    Takes(MIXED_SHAPES),
    WithJsonSchema({"type": ["string", "array"], "items": {"type": ["string", "integer"]}}),
]
Chunks = Annotated[
    list[Chunk],
    Takes(CHUNKS),
    PlainValidator(_read_chunks),
    WithJsonSchema({"type": "array", "items": {"type": "object", "properties": {"text": STRING, "filename": STRING}}}),
]


class LlamaOptions(GenerationOptions):
    """Options of endpoints that generate text."""

    completes_characters: ClassVar[bool] = True
    n_probs: Integer = Field(
        0,
        ge=0,
        le=MAX_N_PROBS,
        validation_alias=AliasChoices("n_probs", "logprobs"),
        description="number of most likely tokens to return with each token; 0 = disabled",
    )
    response_fields: Annotated[tuple[str, ...], Takes("a list of strings")] = Field(
        (), description="fields of the result to return; `a/b` is the field b of the object a"
    )


class CompletionRequestBody(LlamaOptions):
    """Body of /completion."""

    prompt: Annotated[Any, Takes(PROMPT_SHAPES), WithJsonSchema(PROMPT_SCHEMA)] = Field(
        description="text to continue, or several of them"
    )
    image_data: ImageData = Field(
        None, description="images in base64, each with the id that stands for it in the prompt, as in [img-12]"
    )


class InfillRequestBody(LlamaOptions):
    """Body of /infill."""

    input_prefix: Mixed = Field(description="text before the gap")
    input_suffix: Mixed = Field(description="text after the gap")
    prompt: str = Field("", description="beginning of the text in the gap")
    input_extra: Chunks = Field([], description="texts of other files of the project")
    stream: Boolean = Field(True, description="send tokens as server-sent events")


class ApplyTemplateRequestBody(ChatFields):
    """Body of /apply-template."""


class TokenizeRequestBody(RequestBody):
    """Body of /tokenize."""

    content: str = Field(description="text to tokenize")
    add_special: Boolean = Field(False, description="add the special tokens with which a text begins and ends")
    parse_special: Boolean = Field(True, description="read special tokens that are spelled out in the text")
    with_pieces: Boolean = Field(False, description="return the text of each token as well")


class DetokenizeRequestBody(RequestBody):
    """Body of /detokenize."""

    tokens: Annotated[list[Any], Takes(TOKENS), WithJsonSchema({"type": "array", "items": {"type": "integer"}})] = (
        Field(description="ids of the tokens")
    )


class SlotFileRequestBody(RequestBody):
    """Body of /slots/{id_slot} with action=save or action=restore."""

    filename: Annotated[
        str,
        Takes(FILE_NAMES),
        PlainValidator(lambda value: as_file_name("filename", value)),
        WithJsonSchema({"type": "string"}),
    ] = Field(description="name of a file in the folder of saved slots")
