"""GET /v1/models: the one model that this server has, as OpenAI lists models."""

from starlette.requests import Request

from server.access import engine_of, settings_of
from server.json_response import JsonResponse


async def get_models(request: Request) -> JsonResponse:
    engine, settings = engine_of(request), settings_of(request)
    info = engine.model.info
    model = {
        "id": settings.alias,
        "object": "model",
        "created": request.app.state.started_at,
        "owned_by": "llama-slots",
        "meta": {
            "n_vocab": info.n_vocab,
            "n_ctx_train": info.n_ctx_train,
            "n_embd": info.n_embd,
            "n_params": info.n_params,
            "size": info.size_bytes,
        },
    }
    return JsonResponse({"object": "list", "data": [model]})
