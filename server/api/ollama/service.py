"""GET / and /api/version: what clients ask to find out whether the server lives; and what is refused by name."""

from collections.abc import Awaitable, Callable
from typing import NoReturn

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from server.http.errors import ApiError
from server.http.json_response import JsonResponse

API_VERSION = "0.33.0"
"""The version of Ollama whose API is spoken; clients compare it with the one that they need."""


async def get_root(_: Request) -> Response:
    return PlainTextResponse("Ollama is running")


async def get_version(_: Request) -> JsonResponse:
    return JsonResponse({"version": API_VERSION})


def refuse(what: str) -> Callable[[Request], Awaitable[Response]]:
    """Returns the endpoint that refuses to change the models of this server."""

    async def endpoint(_: Request) -> NoReturn:
        raise ApiError(501, f"{what} models is not supported: this server has the model that it was started with")

    return endpoint
