"""Requests in Ollama's dialect, as short as tests want to write them."""

import json
from typing import Any

import requests

from tests.server.http_client import Json, post

ASK = "What is the capital of France?"
TURN: Json = {"role": "user", "content": ASK}
GREEDY = {"temperature": 0, "num_predict": 8}


def generate(url: str, **fields: Any) -> Json:
    """Returns the whole of a short answer that is the same each time, unless `fields` say otherwise."""
    return _whole(post(url, _body({"prompt": ASK}, fields), "/api/generate"))


def chat(url: str, **fields: Any) -> Json:
    """As `generate`, for a chat."""
    return _whole(post(url, _body({"messages": [TURN]}, fields), "/api/chat"))


def lines(url: str, path: str, **fields: Any) -> list[Json]:
    """Returns the lines of a stream."""
    body = {"model": "any", "prompt": ASK, "messages": [TURN], "options": GREEDY, **fields}
    response = post(url, body, path)
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "application/x-ndjson"
    assert response.text.endswith("\n")
    return [json.loads(line) for line in response.text.splitlines()]


def refusal(url: str, path: str, status: int = 400, **fields: Any) -> str:
    """Returns the message of an error, after checking its shape."""
    response = post(url, {"prompt": ASK, "messages": [TURN], "stream": False, **fields}, path)
    assert response.status_code == status, response.text
    assert response.json().keys() == {"error"}
    return str(response.json()["error"])


def prompt_of(url: str, messages: list[Json]) -> str:
    """Returns the prompt of a chat in OpenAI's form."""
    prompt: str = post(url, {"messages": messages}, "/apply-template").json()["prompt"]
    return prompt


def _body(fields: Json, others: Json) -> Json:
    return {"model": "any", "stream": False, **fields, **others, "options": GREEDY | others.get("options", {})}


def _whole(response: requests.Response) -> Json:
    assert response.status_code == 200, response.text
    answer: Json = response.json()
    return answer
