"""GET /v1/models and /v1/models/{id}: the one model of this server, as OpenAI lists models."""

from starlette.requests import Request

from server.http.errors import ApiError
from server.http.json_response import JsonResponse
from server.state import get_engine, get_settings


async def get_models(request: Request) -> JsonResponse:
    return JsonResponse({"object": "list", "data": [_model_json(request)]})


async def get_model(request: Request) -> JsonResponse:
    """Raises ApiError (404) for another name than the model's."""
    name, names = request.path_params["id"], get_settings(request).model_names
    if name not in names:
        message = f"model: expected {' or '.join(names)}, since no other is loaded, got {name}"
        raise ApiError(404, message, field="model")
    return JsonResponse(_model_json(request))


def _model_json(request: Request) -> dict[str, object]:
    engine, settings = get_engine(request), get_settings(request)
    info = engine.model.info
    return {
        "id": settings.alias,
        "aliases": settings.aliases,
        "tags": settings.tags,
        "object": "model",
        "created": request.app.state.started_at,
        "owned_by": "llama-slots",
        "meta": {
            "n_vocab": info.n_vocab,
            "n_ctx": engine.n_ctx_slot,
            "n_ctx_train": info.n_ctx_train,
            "n_embd": info.n_embd,
            "n_params": info.n_params,
            "size": info.size_bytes,
        },
    }
