"""X-Request-Id: in, out, in errors and in the log."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.server.http_client import SECONDS, STORY, open_stream, wait_until
from tests.server.program import PROGRAM, Program, running

SECRET = "the code of the safe is seven"
KEY = "key-of-the-house"


class Logged:
    """A server with an API key that logs JSON objects."""

    def __init__(self, program: Program) -> None:
        self.program = program
        wait_until(lambda: "Ready on " in program.output or program.process.poll() is not None, "the start")
        found = re.search(r"Ready on (\S+): ", program.output)
        assert found, program.output
        self.url = found[1]

    def post(self, body: object, request_id: str | None = None, key: str = KEY) -> requests.Response:
        headers = {"Authorization": f"Bearer {key}"} | ({"X-Request-Id": request_id} if request_id else {})
        return requests.post(f"{self.url}/completion", json=body, headers=headers, timeout=SECONDS)

    def line(self, request_id: str) -> dict[str, object]:
        """Returns the object that the log has on a request, which is written after its response."""
        words = f'"request_id": "{request_id}"'
        wait_until(lambda: words in self.program.output.rpartition("\n")[0], f"the line of {request_id} in the log")
        found: dict[str, object] = next(json.loads(line) for line in self.program.output.splitlines() if words in line)
        return found


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logged]:
    folder = tmp_path_factory.mktemp("ids")
    with running(folder, *PROGRAM, "-t", "1", "--log-jsonl", "--api-key", KEY) as program:
        yield Logged(program)


def test_the_id_of_a_request_comes_back_and_is_logged(logged: Logged) -> None:
    response = logged.post({"prompt": STORY, "n_predict": 2}, "job-7:a")
    assert response.headers["X-Request-Id"] == "job-7:a"
    line = logged.line("job-7:a")
    assert (line["method"], line["route"], line["status"], line["type"]) == ("POST", "/completion", 200, "log")
    assert line["answers"]


def test_a_request_without_an_id_gets_one(logged: Logged) -> None:
    first, second = (logged.post({"prompt": STORY, "n_predict": 1}).headers["X-Request-Id"] for _ in range(2))
    assert re.fullmatch("[0-9a-f]{16}", first)
    assert first != second
    assert logged.line(first)["status"] == 200


@pytest.mark.parametrize("bad", ["two words", "x" * 129, 'quote"', "<b>"])
def test_an_id_that_is_no_word_is_replaced(bad: str, logged: Logged) -> None:
    assert re.fullmatch("[0-9a-f]{16}", logged.post({"prompt": []}, bad).headers["X-Request-Id"])


def test_errors_name_the_request(logged: Logged) -> None:
    response = logged.post({"prompt": []}, "wrong-1")
    assert response.json()["request_id"] == response.headers["X-Request-Id"] == "wrong-1"
    assert logged.post({}, "wrong-2", key="another").json()["request_id"] == "wrong-2"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_errors_of_other_dialects_name_it_too(path: str, logged: Logged) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "X-Request-Id": "wrong-3"}
    response = requests.post(logged.url + path, json={}, headers=headers, timeout=SECONDS)
    assert (response.status_code, response.json()["request_id"]) == (400, "wrong-3")


def test_a_client_that_leaves_a_stream_is_logged(logged: Logged) -> None:
    client = requests.Session()
    client.headers.update({"Authorization": f"Bearer {KEY}", "X-Request-Id": "left-1"})
    with open_stream(logged.url, client):
        pass
    client.close()
    assert logged.line("left-1")["error"] == "the client went away"


def test_keys_prompts_and_texts_are_not_logged(logged: Logged) -> None:
    body = {"prompt": SECRET, "n_predict": 8, "ignore_eos": True}
    text = logged.post(body, "secret-1").json()["content"]
    logged.post({**body, "n_predict": SECRET}, "secret-2")
    logged.post(body, "secret-3", key=SECRET)
    for request_id in ("secret-1", "secret-2", "secret-3"):
        logged.line(request_id)
    for secret in (SECRET, KEY, text.strip()):
        assert secret not in logged.program.output


def test_prompts_and_texts_are_logged_if_a_flag_says_so(tmp_path: Path) -> None:
    with running(tmp_path, *PROGRAM, "-t", "1", "--log-prompts") as program:
        body = {"prompt": SECRET, "n_predict": 4, "ignore_eos": True, "stream": True}
        response = requests.post(f"{program.ready_url()}/completion", json=body, timeout=SECONDS)
        texts = [json.loads(line[6:])["content"] for line in response.text.splitlines() if line]
        said = program.wait_for("POST /completion 200 in ")
        assert f"prompt '{SECRET}', text {''.join(texts)!r}" in said
        assert said.endswith(f"[{response.headers['X-Request-Id']}]")
