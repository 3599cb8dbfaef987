"""Routes: several endpoints at one path, each with a method of its own."""

import asyncio

import pytest
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Router
from starlette.types import Message, Scope

from server.http.dialect import Endpoint, Handler, make_routes


def answer(text: str) -> Handler:
    async def handle(request: Request) -> Response:
        return PlainTextResponse(f"{text} {request.path_params['name']}")

    return handle


ROUTER = Router(
    make_routes(
        (
            Endpoint("/models/{name:path}", answer("describe"), "Describe a model"),
            Endpoint("/models/{name:path}", answer("change"), "Change a model", verb="PUT"),
            Endpoint("/models/{name:path}", answer("delete"), "Delete a model", verb="DELETE"),
        )
    )
)


def ask(method: str) -> tuple[Message, str]:
    """Returns the start of the response to a request for /models/a/b, and its body."""
    scope: Scope = {"type": "http", "method": method, "path": "/models/a/b", "headers": []}
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(ROUTER(scope, receive, send))
    return sent[0], b"".join(message["body"] for message in sent[1:]).decode()


@pytest.mark.parametrize(
    ("method", "text"),
    [("GET", "describe a/b"), ("HEAD", "describe a/b"), ("PUT", "change a/b"), ("DELETE", "delete a/b")],
)
def test_each_method_has_its_endpoint(method: str, text: str) -> None:
    assert ask(method)[1] == text


def test_another_method_is_told_all_that_the_path_takes() -> None:
    start, _ = ask("POST")
    assert start["status"] == 405
    assert set(Headers(raw=start["headers"])["Allow"].split(", ")) == {"GET", "HEAD", "PUT", "DELETE"}
