"""/v1/llm/model-endpoints: the model of this server, as LLM Engine lists models."""

from functools import cache
from importlib.metadata import version

from starlette.requests import Request

from server.fine_tuning.deletion import delete_adapter
from server.http.errors import ApiError
from server.http.json_response import JsonResponse
from server.options.lora import find_adapter
from server.settings import Settings
from server.state import get_engine, get_settings, get_state


async def list_models(request: Request) -> JsonResponse:
    """Lists the model, and its LoRA adapters as models of their own."""
    settings, names = get_settings(request), [known.name for known in get_engine(request).adapters.loaded]
    return JsonResponse({"model_endpoints": [_model_json(settings, name) for name in (settings.alias, *names)]})


async def get_model(request: Request) -> JsonResponse:
    """Raises ApiError (404) for a model that is not served."""
    engine, settings, name = get_engine(request), get_settings(request), request.path_params["name"]
    if adapter := find_adapter(name, engine, settings.model_names):
        return JsonResponse(_model_json(settings, adapter.name))
    check_model("model", name, settings)
    return JsonResponse(_model_json(settings, settings.alias))


async def create_model(_: Request) -> JsonResponse:
    raise ApiError(501, "a model is not created by a request: the server has the one that it was started with")


async def update_model(request: Request) -> JsonResponse:
    engine, settings, name = get_engine(request), get_settings(request), request.path_params["name"]
    if find_adapter(name, engine, settings.model_names) is None:
        check_model("model", name, settings)
    raise ApiError(501, f"{name} is not changed by a request: the server has it as it was started with it")


async def delete_model(request: Request) -> JsonResponse:
    """Requests that run with a fine-tuned model end first. Raises ApiError (404) for an unknown model, and (400) for
    one that no fine-tuning has made."""
    engine, settings, name = get_engine(request), get_settings(request), request.path_params["name"]
    if await delete_adapter(get_state(request).fine_tuning, engine, name):
        return JsonResponse({"deleted": True})
    adapter = find_adapter(name, engine, settings.model_names)
    if adapter is None:
        check_model("model", name, settings)
    kind = "a base model" if adapter is None else "an adapter that the server was given"
    message = f"model: expected the name of a fine-tuned model, got {name}, which is {kind} and cannot be deleted"
    raise ApiError(400, message, field="model")


def check_model(field: str, name: str, settings: Settings) -> None:
    """Raises ApiError (404), which names the field, for another name than the model's."""
    names = settings.model_names
    if name not in names:
        message = f"{field}: expected {' or '.join(names)}, since no other is loaded, got {name}"
        raise ApiError(404, message, field=field)


def _model_json(settings: Settings, name: str) -> dict[str, object]:
    """The client knows a few frameworks, sources and quantizations, and refuses others: what they are called here is
    what comes nearest. The options of this dialect are those of vLLM."""
    return {
        "id": name,
        "name": name,
        "model_name": settings.model_path.stem,
        "source": "hugging_face",
        "status": "READY",
        "inference_framework": "vllm",
        "inference_framework_tag": _framework_tag(),
        "num_shards": 1,
        "quantize": None,
        "spec": None,
        "chat_template_override": None,
    }


@cache
def _framework_tag() -> str:
    return f"llama.cpp of llama-cpp-python {version('llama-cpp-python')}"
