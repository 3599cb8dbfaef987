"""return_progress: what a stream tells before its first token, in every dialect that streams."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.conftest import running_server
from tests.server.http_client import SECONDS, Json, open_stream, post

WORDS = "once upon a time " * 40


@dataclass(frozen=True)
class Streamed:
    """A path whose answers are streams, and what a body has there."""

    path: str
    prompt: str
    """The member with the prompt."""
    n_predict: str = "max_tokens"

    def body(self, **fields: object) -> Json:
        prompt = [{"role": "user", "content": WORDS}] if self.prompt == "messages" else WORDS
        return {self.prompt: prompt, self.n_predict: 2, "temperature": 0, "stream": True, **fields}


DIALECTS = [
    Streamed("/completion", "prompt"),
    Streamed("/v1/completions", "prompt"),
    Streamed("/v1/chat/completions", "messages"),
    Streamed("/v1/responses", "input", "max_output_tokens"),
    Streamed("/v1/messages", "messages"),
    Streamed("/api/generate", "prompt", "num_predict"),
    Streamed("/api/chat", "messages", "num_predict"),
    Streamed("/v1/llm/completions-stream?model_endpoint_name=bundled", "prompt", "max_new_tokens"),
    Streamed("/api/v2/execute/bundled", "data"),
    Streamed("/api/v1/execute/bundled", "data"),
]
each_dialect = pytest.mark.parametrize("streamed", DIALECTS, ids=lambda streamed: streamed.path)


@pytest.fixture(scope="module")
def narrow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One slot, whose prompts are computed in small batches."""
    flags = ("--parallel", "1", "--batch-size", "64", "--ubatch-size", "64", "--alias", "bundled")
    with running_server(tmp_path_factory.mktemp("narrow"), *flags) as url:
        yield url


def chunks_in(lines: Iterable[bytes]) -> Iterator[Json]:
    """Yields the objects of a stream, of server-sent events or of lines of JSON."""
    for line in lines:
        text = line.removeprefix(b"data: ")
        if text.startswith(b"{"):
            yield json.loads(text)


def chunks_of(url: str, streamed: Streamed, **fields: object) -> list[Json]:
    response = post(url, streamed.body(cache_prompt=False, **fields), streamed.path)
    assert response.status_code == 200, response.text
    return list(chunks_in(response.content.splitlines()))


def text_of(chunk: Json) -> str:
    """Returns the text in a chunk of any dialect."""
    choice: Any = (chunk.get("choices") or [{}])[0]
    inner = [holder.get(name) for holder in (chunk, choice) for name in ("delta", "message", "output")]
    places = [place for place in (chunk, choice, *inner) if isinstance(place, dict)]
    texts = [chunk.get("delta"), *(place.get(name) for place in places for name in ("content", "text", "response"))]
    return next((text for text in texts if isinstance(text, str) and text), "")


@each_dialect
def test_progress_comes_before_the_text(narrow_server: str, streamed: Streamed) -> None:
    chunks = chunks_of(narrow_server, streamed, return_progress=True)
    progress = [chunk["prompt_progress"] for chunk in chunks if "prompt_progress" in chunk]
    total = progress[0]["total"]
    assert [each["processed"] for each in progress] == [*range(0, total, 64), total]
    assert all(each.keys() == {"total", "cache", "processed", "time_ms"} for each in progress)
    assert {(each["total"], each["cache"]) for each in progress} == {(total, 0)}
    texts = [text_of(chunk) for chunk in chunks]
    last = max(index for index, chunk in enumerate(chunks) if "prompt_progress" in chunk)
    assert not any(texts[: last + 1])
    assert any(texts[last:])


@each_dialect
def test_progress_has_to_be_asked_for(narrow_server: str, streamed: Streamed) -> None:
    assert not [chunk for chunk in chunks_of(narrow_server, streamed) if "prompt_progress" in chunk]


def test_progress_has_timings_if_each_token_has(narrow_server: str) -> None:
    chunks = chunks_of(narrow_server, DIALECTS[0], return_progress=True, timings_per_token=True)
    timings = [chunk["timings"] for chunk in chunks if "prompt_progress" in chunk]
    assert (timings[0]["prompt_n"], timings[0]["prompt_ms"]) == (0, 0.0)
    assert [each["prompt_n"] for each in timings] == sorted({each["prompt_n"] for each in timings})
    assert {each["predicted_n"] for each in timings} == {0}


def test_whole_answer_has_no_progress(narrow_server: str) -> None:
    answer = post(narrow_server, DIALECTS[0].body(return_progress=True, stream=False)).json()
    assert "prompt_progress" not in answer
    assert answer["tokens_predicted"] == 2


@each_dialect
def test_place_in_the_queue_is_told_while_another_text_is_written(narrow_server: str, streamed: Streamed) -> None:
    with open_stream(narrow_server):
        fields, url = streamed.body(return_progress=True), narrow_server + streamed.path
        with requests.post(url, json=fields, stream=True, timeout=SECONDS) as response:
            for chunk in chunks_in(response.iter_lines(chunk_size=1)):
                assert "prompt_progress" not in chunk
                if "queue" in chunk:
                    break
    assert chunk["queue"]["position"] == 1
    assert chunk["queue"]["waiting_ms"] >= 0
    assert text_of(chunk) == ""
