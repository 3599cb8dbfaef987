"""POST /embedding: embeddings in llama.cpp's dialect."""

import numpy as np

from server.api.embeddings.endpoint import EmbeddingQuery, require_embeddings
from server.api.embeddings.inputs import read_texts
from server.api.embeddings.normalize import normalize
from server.api.embeddings.protocol import EmbeddingRequestBody
from server.http.fields import Fields, first_present
from server.settings import Settings
from slots.embedding.pooling import Embedding
from slots.engine import Engine


def read_embedding(fields: Fields, engine: Engine, settings: Settings) -> EmbeddingQuery:
    """Returns the embeddings that the body requests. Raises InvalidRequest, and ApiError if the server only ranks."""
    require_embeddings(engine)
    body = EmbeddingRequestBody.parse(fields, engine)
    name = first_present(fields, "content", "input")
    request = read_texts(name, body.content, engine)
    norm = settings.embd_normalize if body.embd_normalize is None else body.embd_normalize

    def format_embeddings(embeddings: list[Embedding]) -> object:
        return [
            {"index": index, "embedding": embedding if embedding.ndim > 1 else normalize(embedding, norm)[np.newaxis]}
            for index, embedding in enumerate(embeddings)
        ]

    return EmbeddingQuery(request, body.choose_adapters(engine, settings.model_names), format_embeddings)
