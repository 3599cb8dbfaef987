"""POST /v1/load_lora_adapter and /v1/unload_lora_adapter: LoRA adapters while the server runs, as vLLM spells it."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse

from server.api.openai.protocol import LoadAdapterRequestBody, UnloadAdapterRequestBody
from server.http.body import read_body
from server.http.errors import ApiError
from server.state import get_engine, get_settings
from slots.errors import InvalidRequest


async def post_load_adapter(request: Request) -> PlainTextResponse:
    """Raises InvalidRequest, which names the field, for a name that is taken and a file that is no adapter of the
    model, and ApiError (501) if the server was started without the flag for it."""
    engine, settings = get_engine(request), get_settings(request)
    _check_allowed(request)
    body = await read_body(request, LoadAdapterRequestBody.parse)
    if body.lora_name in settings.model_names:
        raise InvalidRequest("lora_name", f"expected another name than the model's, got {body.lora_name}")
    await engine.load_adapter(body.lora_name, Path(body.lora_path))
    return PlainTextResponse(f"Success: LoRA adapter '{body.lora_name}' added successfully.")


async def post_unload_adapter(request: Request) -> PlainTextResponse:
    """Waits until the requests that use the adapter have ended. Raises AdapterNotFound, and ApiError (501) if the
    server was started without the flag for it."""
    engine = get_engine(request)
    _check_allowed(request)
    body = await read_body(request, UnloadAdapterRequestBody.parse)
    await engine.unload_adapter(body.lora_name)
    return PlainTextResponse(f"Success: LoRA adapter '{body.lora_name}' removed successfully.")


def _check_allowed(request: Request) -> None:
    if not get_settings(request).allow_lora_updates:
        how = "start it with `--allow-runtime-lora-updating`"
        raise ApiError(501, f"this server loads and unloads no LoRA adapters by requests; {how}")
