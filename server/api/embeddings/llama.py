"""POST /embedding: the llama-like API. POST /embeddings speaks this dialect and OpenAI's."""

import numpy as np

from server.api.embeddings.endpoint import EmbeddingQuery, require_embeddings
from server.api.embeddings.inputs import read_texts
from server.api.embeddings.normalize import NO_NORM, normalize
from server.api.embeddings.openai import read_openai_embeddings
from server.http.fields import Fields, first_present, invalid_value, read_integer
from server.settings import Settings
from slots.embedding.pooling import Embedding
from slots.engine import Engine


def read_embedding(fields: Fields, engine: Engine, settings: Settings) -> EmbeddingQuery:
    """Returns what the body asks for. Raises InvalidRequest, and ApiError where the server only ranks."""
    require_embeddings(engine)
    name = first_present(fields, "content", "input")
    request = read_texts(name, fields.get(name), engine)
    norm = read_integer(fields, "embd_normalize", settings.embd_normalize)
    if norm < NO_NORM:
        raise invalid_value("embd_normalize", "-1 or more", norm)

    def format_embeddings(embeddings: list[Embedding]) -> object:
        return [
            {"index": index, "embedding": embedding if embedding.ndim > 1 else normalize(embedding, norm)[np.newaxis]}
            for index, embedding in enumerate(embeddings)
        ]

    return EmbeddingQuery(request, format_embeddings)


def read_either_embedding(fields: Fields, engine: Engine, settings: Settings) -> EmbeddingQuery:
    """Returns what the body asks for: in llama.cpp's dialect if it has `content`, else in OpenAI's."""
    is_llama = fields.get("content") is not None
    return (read_embedding if is_llama else read_openai_embeddings)(fields, engine, settings)
