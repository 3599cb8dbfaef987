"""embedding_endpoint: what the endpoints for embeddings and ranking share."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from server.http.body import read_body
from server.http.disconnect import cancel_on_disconnect
from server.http.errors import ApiError
from server.http.fields import Fields
from server.settings import Settings
from server.state import get_engine, get_settings
from slots.embedding.pooling import Embedding
from slots.embedding.request import EmbeddingRequest
from slots.engine import Engine
from slots.requests.adapters import AdapterSet


@dataclass(frozen=True, slots=True)
class EmbeddingQuery:
    """The texts that a body requests, and the format of the response."""

    request: EmbeddingRequest
    adapters: AdapterSet
    format: Callable[[list[Embedding]], object]
    """Returns the JSON for the embedding of each text."""


ReadQuery = Callable[[Fields, Engine, Settings], EmbeddingQuery]


def embedding_endpoint(read: ReadQuery) -> Callable[[Request], Awaitable[Response]]:
    """Returns the endpoint that embeds the texts that `read` finds in a body."""

    async def endpoint(request: Request) -> Response:
        engine, settings = get_engine(request), get_settings(request)
        query = await read_body(request, lambda fields: read(fields, engine, settings))
        embeddings = await cancel_on_disconnect(request.receive, engine.embed(query.request, query.adapters))
        # In a worker thread, since many texts have millions of numbers.
        body = await run_in_threadpool(lambda: _as_json(query.format(embeddings)))
        return Response(body, media_type="application/json")

    return endpoint


def require_embeddings(engine: Engine) -> None:
    """Raises ApiError (501) if the model ranks texts."""
    if engine.pooling == "rank":
        how = "start it without `--reranking`, or with another `--pooling`"
        raise ApiError(501, f"this server ranks documents and computes no embeddings; {how}")


def _as_json(response: object) -> bytes:
    return orjson.dumps(response, option=orjson.OPT_SERIALIZE_NUMPY)
