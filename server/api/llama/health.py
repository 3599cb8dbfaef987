"""GET /health, /livez, /ready and /version: whether the server can take requests, lives at all, and what it is."""

from importlib.metadata import version

from starlette.requests import Request

from server.http.errors import ApiError
from server.http.json_response import JsonResponse
from server.state import get_engine, get_state
from slots.engine.health import EngineHealth

BUILD_INFO = f"llama-slots on llama-cpp-python {version('llama-cpp-python')}"


async def get_health(request: Request) -> JsonResponse:
    """Raises ApiError (503) while the model loads, while the server stops, and if the engine makes no progress."""
    health = get_engine(request).health()
    if health.condition != "ok":
        raise ApiError(503, describe(health))
    return JsonResponse({"status": "ok"})


async def get_livez(request: Request) -> JsonResponse:
    """Raises ApiError (503) if only a restart helps; a server that loads or stops lives."""
    engine = get_state(request).engine
    if engine is None:
        return JsonResponse({"status": "loading"})
    health = engine.health()
    if not health.is_alive:
        raise ApiError(503, describe(health))
    return JsonResponse({"status": health.condition})


async def get_version(_: Request) -> JsonResponse:
    found = {"version": version("llama-slots"), "llama_cpp_python": version("llama-cpp-python")}
    return JsonResponse({**found, "build_info": BUILD_INFO})


def describe(health: EngineHealth) -> str:
    match health.condition:
        case "draining":
            return "The server is shutting down"
        case "stuck":
            return f"The engine makes no progress: a step has taken {health.step_seconds:.0f} seconds so far"
        case "failed":
            return "The engine has failed; the server has to be started again"
    return "ok"
