"""POST /api/embed, and /api/embeddings before it: embeddings in Ollama's dialect."""

import time
from collections.abc import Callable
from dataclasses import replace

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from server.api.embeddings.endpoint import require_embeddings
from server.api.embeddings.inputs import check_count, read_texts
from server.api.embeddings.normalize import EUCLIDEAN, normalize
from server.api.embeddings.protocol import OllamaEmbedBody, OllamaEmbeddingsBody
from server.http.body import read_body
from server.http.disconnect import cancel_on_disconnect
from server.http.fields import Fields
from server.state import get_engine, get_settings
from slots.embedding.pooling import Embedding
from slots.embedding.request import EmbeddingRequest
from slots.engine import Engine
from slots.errors import InvalidRequest
from slots.requests.adapters import AdapterSet

Json = dict[str, object]


async def post_ollama_embed(request: Request) -> Response:
    """Returns the embeddings of texts, with a length of 1. Raises InvalidRequest, which names the field, and ApiError
    (501) if the server only ranks."""
    started, engine = time.perf_counter(), get_engine(request)
    body, texts = await read_body(request, lambda fields: _read_embed(fields, engine))
    settings = get_settings(request)
    model = settings.alias if body.model is None else body.model
    adapters = body.choose_adapters(engine, settings.model_names)

    def answer(embeddings: list[Embedding]) -> Json:
        return {
            "model": model,
            "embeddings": [_shortened(embedding, body.dimensions or None) for embedding in embeddings],
            "total_duration": round(1e9 * (time.perf_counter() - started)),
            "load_duration": 0,
            "prompt_eval_count": texts.n_tokens if texts else 0,
        }

    return await _respond(request, texts, adapters, answer)


async def post_ollama_embeddings(request: Request) -> Response:
    """Returns the embedding of one text, as the model computes it. Raises what the other endpoint raises."""
    engine = get_engine(request)
    body, text = await read_body(request, lambda fields: _read_prompt(fields, engine))
    adapters = body.choose_adapters(engine, get_settings(request).model_names)
    return await _respond(
        request, text, adapters, lambda embeddings: {"embedding": embeddings[0] if embeddings else []}
    )


async def _respond(
    request: Request, texts: EmbeddingRequest | None, adapters: AdapterSet, answer: Callable[[list[Embedding]], Json]
) -> Response:
    engine = get_engine(request)
    embeddings = await cancel_on_disconnect(request.receive, engine.embed(texts, adapters)) if texts else []
    # In a worker thread, since many texts have millions of numbers.
    content = await run_in_threadpool(lambda: orjson.dumps(answer(embeddings), option=orjson.OPT_SERIALIZE_NUMPY))
    return Response(content, media_type="application/json")


def _read_embed(fields: Fields, engine: Engine) -> tuple[OllamaEmbedBody, EmbeddingRequest | None]:
    """Returns the body and its texts; None for no text."""
    body = OllamaEmbedBody.parse(fields, engine)
    _require_one_embedding("input", engine)
    if body.input in ("", []):
        return body, None
    if isinstance(body.input, list):
        check_count("input", len(body.input))
    texts = read_texts("input", body.input, engine)
    return body, _truncated(texts, engine.max_embedding_tokens) if body.truncate else texts


def _read_prompt(fields: Fields, engine: Engine) -> tuple[OllamaEmbeddingsBody, EmbeddingRequest | None]:
    body = OllamaEmbeddingsBody.parse(fields, engine)
    _require_one_embedding("prompt", engine)
    return body, read_texts("prompt", body.prompt, engine) if body.prompt else None


def _require_one_embedding(name: str, engine: Engine) -> None:
    require_embeddings(engine)
    if engine.pooling == "none":
        raise InvalidRequest(name, "expected one embedding for a text, but the server was started with --pooling none")


def _truncated(texts: EmbeddingRequest, n_max: int) -> EmbeddingRequest:
    """Returns the texts without what exceeds `n_max` tokens of each; the last token stays, which may be a special
    one."""
    return replace(
        texts, texts=tuple(text if len(text) <= n_max else (*text[: n_max - 1], text[-1]) for text in texts.texts)
    )


def _shortened(embedding: Embedding, dimensions: int | None) -> Embedding:
    return normalize(embedding[:dimensions], EUCLIDEAN)
