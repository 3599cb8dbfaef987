"""POST /embedding: the llama-like API. POST /embeddings speaks this dialect and OpenAI's."""

import numpy as np

from server.api.embeddings.endpoint import Query, refuse_to_rank
from server.api.embeddings.inputs import read_texts
from server.api.embeddings.normalize import NOT_AT_ALL, normalized
from server.api.embeddings.openai import read_openai_embeddings
from server.http.fields import Fields, expected, first_given, read_integer
from server.settings import Settings
from slots.embedding.pooling import Embedding
from slots.engine import Engine


def read_embedding(fields: Fields, engine: Engine, settings: Settings) -> Query:
    """Returns what the body asks for. Raises InvalidRequest, and ApiError where the server only ranks."""
    refuse_to_rank(engine)
    name = first_given(fields, "content", "input")
    request = read_texts(name, fields.get(name), engine)
    norm = read_integer(fields, "embd_normalize", settings.embd_normalize)
    if norm < NOT_AT_ALL:
        raise expected("embd_normalize", "-1 or more", norm)

    def spell(embeddings: list[Embedding]) -> object:
        return [
            {"index": index, "embedding": embedding if embedding.ndim > 1 else normalized(embedding, norm)[np.newaxis]}
            for index, embedding in enumerate(embeddings)
        ]

    return Query(request, spell)


def read_either_embedding(fields: Fields, engine: Engine, settings: Settings) -> Query:
    """Returns what the body asks for: in llama.cpp's dialect if it has `content`, else in OpenAI's."""
    is_llama = fields.get("content") is not None
    return (read_embedding if is_llama else read_openai_embeddings)(fields, engine, settings)
