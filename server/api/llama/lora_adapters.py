"""GET and POST /lora-adapters: the LoRA adapters, and those that apply to requests that do not say."""

from starlette.requests import Request

from server.http.body import read_list_body
from server.http.json_response import JsonResponse
from server.options.lora import read_scales
from server.state import get_engine
from slots.engine import Engine
from slots.engine.adapters import Adapter


async def get_lora_adapters(request: Request) -> JsonResponse:
    engine = get_engine(request)
    return JsonResponse([_adapter_json(adapter, engine) for adapter in engine.adapters.loaded])


async def post_lora_adapters(request: Request) -> JsonResponse:
    """Sets the scales that apply to later requests; adapters that the body does not name apply to none. Raises
    InvalidRequest, which names the item, for an unknown id and for another shape."""
    engine = get_engine(request)
    scales = await read_list_body(request, lambda items: read_scales("body", items))
    engine.adapters.set_global("body", scales)
    return JsonResponse({"success": True})


def _adapter_json(adapter: Adapter, engine: Engine) -> dict[str, object]:
    header = adapter.header
    result: dict[str, object] = {
        "id": adapter.number,
        "path": str(header.path),
        "scale": dict(engine.adapters.global_set.scales).get(adapter.number, 0.0),
        "task_name": header.task_name,
        "prompt_prefix": header.prompt_prefix,
        "name": adapter.name,
    }
    if header.invocation_tokens:
        result["alora_invocation_string"] = engine.vocab.display_all(header.invocation_tokens)
        result["alora_invocation_tokens"] = header.invocation_tokens
    return result
