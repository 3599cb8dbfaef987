"""POST /v1/embeddings: embeddings in OpenAI's dialect."""

from base64 import b64encode
from dataclasses import dataclass

from server.api.embeddings.endpoint import EmbeddingQuery, require_embeddings
from server.api.embeddings.inputs import read_texts
from server.api.embeddings.normalize import EUCLIDEAN, normalize
from server.api.embeddings.protocol import OpenAiEmbeddingRequestBody
from server.http.fields import Fields, invalid_value
from server.settings import Settings
from slots.embedding.pooling import Embedding
from slots.engine import Engine
from slots.errors import InvalidRequest


def read_openai_embeddings(fields: Fields, engine: Engine, settings: Settings) -> EmbeddingQuery:
    """Returns what the body asks for.

    Raises InvalidRequest for a field that is not as OpenAI documents it, or if a text gets no single embedding, and
    ApiError if the server only ranks.
    """
    require_embeddings(engine)
    if engine.pooling == "none":
        raise InvalidRequest(
            "input", "expected one embedding for a text, but the server was started with --pooling none"
        )
    body = OpenAiEmbeddingRequestBody.parse(fields, engine)
    request = read_texts("input", body.input, engine)
    n_embd = engine.model.n_embd_out
    dimensions = n_embd if body.dimensions is None else body.dimensions
    if not 1 <= dimensions <= n_embd:
        raise invalid_value("dimensions", f"a number from 1 to {n_embd}", dimensions)
    name, adapters = body.served_name(engine, settings.model_names), body.choose_adapters(engine, settings.model_names)
    formatter = _EmbeddingsFormatter(name, dimensions, body.encoding_format == "base64", request.n_tokens)
    return EmbeddingQuery(request, adapters, formatter.format)


@dataclass(frozen=True, slots=True)
class _EmbeddingsFormatter:
    model: str
    dimensions: int
    is_base64: bool
    n_tokens: int

    def format(self, embeddings: list[Embedding]) -> object:
        return {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": self._encode(embedding)}
                for index, embedding in enumerate(embeddings)
            ],
            "model": self.model,
            "usage": {"prompt_tokens": self.n_tokens, "total_tokens": self.n_tokens},
        }

    def _encode(self, embedding: Embedding) -> Embedding | str:
        """Returns the numbers, or their bytes as little-endian float32."""
        numbers = normalize(embedding[: self.dimensions], EUCLIDEAN)
        return b64encode(numbers.astype("<f4").tobytes()).decode() if self.is_base64 else numbers
