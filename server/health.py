"""GET /health: 200 once the model is loaded."""

from starlette.requests import Request

from server.http.json_response import JsonResponse
from server.state import engine_of


async def get_health(request: Request) -> JsonResponse:
    engine_of(request)
    return JsonResponse({"status": "ok"})
