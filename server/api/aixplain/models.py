"""GET /sdk/models/{id}, /sdk/models/by-name/{name} and /v2/models/{id}: the model as both versions of the SDK describe
one. Any name will do, as in an execution."""

from datetime import UTC, datetime

from starlette.requests import Request

from server.api.aixplain.protocol import ExecutionRequestBody
from server.http.json_response import JsonResponse
from server.options.generation_options import GenerationOptions
from server.state import get_engine, get_settings

FUNCTION = {"id": "text-generation", "name": "Text Generation"}
SUPPLIER = {"id": 1, "name": "llama-slots", "code": "llama-slots"}
PARAMS = {
    "text": "text",
    "context": "text",
    "prompt": "text",
    "history": "json",
    "max_tokens": "number",
    "temperature": "number",
    "top_p": "number",
    "response_format": "json",
    "tools": "json",
    "tool_choice": "json",
}
"""The input of an execution, with the types that the SDK checks."""
OPTIONS = {"max_tokens": "n_predict", "temperature": "temperature", "top_p": "top_p"}
"""Those that have defaults, with their names here."""


async def get_model_by_id(request: Request) -> JsonResponse:
    return JsonResponse(_sdk_model(request, request.path_params["id"], get_settings(request).alias))


async def get_model_by_name(request: Request) -> JsonResponse:
    return JsonResponse(_sdk_model(request, get_settings(request).alias, request.path_params["name"]))


async def get_v2_model(request: Request) -> JsonResponse:
    model = _model(request, request.path_params["id"], get_settings(request).alias)
    attributes = {"max_context_length": str(get_engine(request).n_ctx_slot)}
    own = {"vendor": SUPPLIER, "connectionType": ["synchronous"], "attributes": attributes}
    return JsonResponse({**model, **own})


def _sdk_model(request: Request, model_id: str, name: str) -> dict[str, object]:
    """Returns the model for version 1 of the SDK, in which attributes are a list."""
    n_ctx = get_engine(request).n_ctx_slot
    attributes = [{"name": "max_context_length", "code": str(n_ctx)}]
    return {**_model(request, model_id, name), "supplier": SUPPLIER, "attributes": attributes}


def _model(request: Request, model_id: str, name: str) -> dict[str, object]:
    engine, settings = get_engine(request), get_settings(request)
    started = datetime.fromtimestamp(request.app.state.started_at, UTC)
    return {
        "id": model_id,
        "name": name,
        "description": f"{settings.alias}, with {engine.n_ctx_slot} tokens of context",
        "status": "onboarded",
        "function": FUNCTION,
        "functionType": "ai",
        "pricing": {"price": 0, "unitType": "Token", "unitTypeScale": None},
        "version": {"id": engine.fingerprint[:12], "name": engine.fingerprint[:12]},
        "supportsStreaming": True,
        "createdAt": started.isoformat().replace("+00:00", "Z"),
        "params": [_param(name, kind, settings.defaults) for name, kind in PARAMS.items()],
    }


def _param(name: str, kind: str, defaults: GenerationOptions) -> dict[str, object]:
    values = [{"value": _default(OPTIONS[name], defaults)}] if name in OPTIONS else []
    return {
        "name": name,
        "required": name == "text",
        "dataType": kind,
        "dataSubType": kind,
        "multipleValues": False,
        "isFixed": False,
        "values": [],
        "defaultValues": values,
        "availableOptions": [],
    }


def _default(option: str, defaults: GenerationOptions) -> object:
    """Returns what a flag sets, else the default of executions."""
    if option in defaults.model_fields_set:
        return getattr(defaults, option)
    return ExecutionRequestBody.model_fields[option].default
