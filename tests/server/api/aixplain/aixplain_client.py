"""Executions over HTTP, as short as tests want to write them."""

from typing import Any

import requests

from tests.server.http_client import SECONDS, Json

V1 = "/api/v1/execute/any/model"
V2 = "/api/v2/execute/any/model"
TELL = "Tell me a story."


def execute(url: str, path: str = V2, key: str = "none", **fields: Any) -> requests.Response:
    """Asks for a short deterministic execution, changed by `fields`."""
    body = {"data": TELL, "max_tokens": 8, "temperature": 0} | fields
    return requests.post(url + path, json=body, headers={"x-api-key": key}, timeout=SECONDS)


def answer(url: str, **fields: Any) -> Json:
    response = execute(url, **fields)
    assert response.status_code == 200, response.text
    found: Json = response.json()
    assert (found["status"], found["completed"]) == ("SUCCESS", True)
    return found


def refusal(url: str, path: str = V2, status: int = 400, **fields: Any) -> str:
    """Returns the error of an execution, after checking its shape."""
    response = execute(url, path, **fields)
    assert response.status_code == status, response.text
    return get_error(response)


def get_error(response: requests.Response) -> str:
    failure = response.json()
    assert (failure["status"], failure["completed"]) == ("FAILED", True)
    assert failure["error"] == failure["error_message"] == failure["data"]
    return str(failure["error"])


def chat(url: str, messages: list[Json], **options: Any) -> Json:
    """Returns OpenAI's answer to the chat that an execution should be."""
    body = {"messages": messages, "max_tokens": 8, "temperature": 0} | options
    response = requests.post(f"{url}/v1/chat/completions", json=body, timeout=SECONDS)
    assert response.status_code == 200, response.text
    found: Json = response.json()
    return found
