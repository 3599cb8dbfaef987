"""return_progress: what a stream tells before its first token."""

from collections.abc import Iterator

import pytest
import requests

from tests.conftest import running_server
from tests.server.http_client import SECONDS, Json, events, open_stream, post

DONE = b"data: [DONE]\n\n"
WORDS = "once upon a time " * 40
PATHS = ("/completion", "/v1/completions", "/v1/chat/completions")


@pytest.fixture(scope="module")
def narrow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One slot, whose prompts are computed in small batches."""
    flags = ("--parallel", "1", "--batch-size", "64", "--ubatch-size", "64")
    with running_server(tmp_path_factory.mktemp("narrow"), *flags) as url:
        yield url


def body(prompt: str, **fields: object) -> Json:
    messages = [{"role": "user", "content": prompt}]
    return {"prompt": prompt, "messages": messages, "max_tokens": 2, "stream": True, "temperature": 0, **fields}


def chunks_of(url: str, path: str, **fields: object) -> list[Json]:
    response = post(url, body(WORDS, cache_prompt=False, **fields), path)
    assert response.status_code == 200, response.text
    return list(events(response.content.removesuffix(DONE)))


def text_of(chunk: Json) -> str:
    if "content" in chunk:
        return str(chunk["content"])
    choice = chunk["choices"][0]
    return str(choice.get("text") or choice.get("delta", {}).get("content") or "")


@pytest.mark.parametrize("path", PATHS)
def test_progress_comes_before_the_text(narrow_server: str, path: str) -> None:
    chunks = chunks_of(narrow_server, path, return_progress=True)
    progress = [chunk["prompt_progress"] for chunk in chunks if "prompt_progress" in chunk]
    total = progress[0]["total"]
    assert [each["processed"] for each in progress] == [*range(0, total, 64), total]
    assert all(each.keys() == {"total", "cache", "processed", "time_ms"} for each in progress)
    assert {(each["total"], each["cache"]) for each in progress} == {(total, 0)}
    texts = [text_of(chunk) for chunk in chunks]
    last = max(index for index, chunk in enumerate(chunks) if "prompt_progress" in chunk)
    assert not any(texts[: last + 1])
    assert any(texts[last:])


@pytest.mark.parametrize("path", PATHS)
def test_progress_has_to_be_asked_for(narrow_server: str, path: str) -> None:
    assert not [chunk for chunk in chunks_of(narrow_server, path) if "prompt_progress" in chunk]


def test_whole_answer_has_no_progress(narrow_server: str) -> None:
    answer = post(narrow_server, body(WORDS, return_progress=True, stream=False)).json()
    assert "prompt_progress" not in answer
    assert answer["tokens_predicted"] == 2


@pytest.mark.parametrize("path", PATHS)
def test_place_in_the_queue_is_told_while_another_text_is_written(narrow_server: str, path: str) -> None:
    with open_stream(narrow_server):
        fields = body(WORDS, return_progress=True)
        with requests.post(narrow_server + path, json=fields, stream=True, timeout=SECONDS) as response:
            for line in response.iter_lines(chunk_size=1):
                if b'"queue"' in line:
                    break
                assert b"prompt_progress" not in line
    [event] = events(line + b"\n\n")
    assert event["queue"]["position"] == 1
    assert event["queue"]["waiting_ms"] >= 0
    assert text_of(event) == ""
