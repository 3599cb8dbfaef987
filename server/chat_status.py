"""GET /chat: whether the service runs and what it does, for those who ask it as a chat service."""

from starlette.requests import Request

from server.http.json_response import JsonResponse
from server.state import settings_of, state_of

NOT_STARTED = {"status": "not started", "message": "The model is still loading; try again later."}


async def get_chat_status(request: Request) -> JsonResponse:
    state, settings = state_of(request), settings_of(request)
    engine, defaults = state.engine, settings.defaults
    if engine is None:
        return JsonResponse(NOT_STARTED)
    return JsonResponse(
        {
            "status": "running",
            "llm_serving_url": str(request.base_url).rstrip("/"),
            "model_name": settings.alias,
            "max_new_tokens": defaults.n_predict if defaults.n_predict >= 0 else engine.n_ctx_slot,
            "device": engine.model.device,
            "do_sample": defaults.sampling.temperature > 0,
            "system_prompt": state.system_prompt.text,
        }
    )
