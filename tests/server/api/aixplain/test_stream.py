"""Streams of executions, as the SDK reads them."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.api.aixplain.response import DONE, EVENTS, encode_event
from tests.server.api.aixplain.aixplain_client import V1, V2, answer, execute, refusal
from tests.server.http_client import Json

STREAM: Json = {"options": {"stream": True}}


def pieces(body: bytes) -> list[tuple[str, bool]]:
    """Returns what version 1 of the SDK makes of a stream that it decodes wrongly: texts, and whether it is over."""
    found, is_over = [], False
    for line in body.decode("latin-1").replace("data: ", "").splitlines():
        try:
            content = json.loads(line)["data"]
        except json.JSONDecodeError:
            content = line
        is_over = is_over or content == DONE
        found.append(("" if content == DONE else content, is_over))
    return found


def events(body: bytes) -> list[Json]:
    *blocks, done, rest = body.split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    return [json.loads(block.removeprefix(b"data: ")) for block in blocks]


@pytest.mark.parametrize("path", [V1, V2])
def test_stream_is_the_answer_in_pieces(server: str, path: str) -> None:
    response = execute(server, path, **STREAM)
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    whole = answer(server)
    *texts, last = events(response.content)
    assert "".join(event["data"] for event in texts) == whole["data"]
    for event in texts:
        [choice] = event["choices"]
        assert choice == {"index": 0, "delta": {"content": event["data"]}, "finish_reason": None}
    assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "length"}]
    assert (last["data"], last["status"], last["completed"]) == ("", "SUCCESS", True)
    assert last["usage"]["completion_tokens"] == 8
    assert "".join(text for text, _ in pieces(response.content)) == whole["data"]
    assert [is_over for _, is_over in pieces(response.content)][-3:] == [False, True, True]


def test_stream_may_be_asked_for_as_elsewhere(server: str) -> None:
    assert events(execute(server, stream=True).content)


@pytest.mark.parametrize("text", ["data: 1\ndata: 2", "a\u2028b\x85c\x0bd", "[DONE]", "42", '{"data": 1}', ": ping"])
def test_text_arrives_whatever_it_holds(server: str, text: str) -> None:
    response = execute(server, max_tokens=100, choice=[text], **STREAM)
    assert "".join(event["data"] for event in events(response.content)) == text
    found = pieces(response.content)
    assert "".join(piece for piece, _ in found) == text
    assert not any(is_over for piece, is_over in found if piece)


def test_calls_of_tools_are_streamed_as_openai_does(server: str) -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": {"properties": {"at": {"enum": ["cat"]}}}}}
    response = execute(server, tools=[tool], tool_choice="required", max_tokens=100, **STREAM)
    first = events(response.content)[0]["choices"][0]["delta"]["tool_calls"][0]
    assert (first["index"], first["function"]["name"]) == (0, "look")
    assert all(event["data"] == "" for event in events(response.content))


def test_stream_that_cannot_start_has_a_status(server: str) -> None:
    assert refusal(server, max_tokens=-2, **STREAM) == "max_tokens: expected -1 or more, got -2"
    assert refusal(server, V1, max_tokens=-2, **STREAM) == "max_tokens: expected -1 or more, got -2"


SCALARS = st.text() | st.integers() | st.none()


@given(st.recursive(SCALARS, lambda some: st.lists(some) | st.dictionaries(st.text(), some), max_leaves=4))
@settings(max_examples=50)
def test_event_is_one_line_that_nothing_breaks(value: Any) -> None:
    encoded = encode_event({"data": value})
    assert json.loads(encoded) == {"data": value}
    assert encoded.decode("latin-1").splitlines() == [encoded.decode()]
    assert b"data: " not in encoded


def test_silence_is_broken_by_an_empty_piece() -> None:
    assert EVENTS.ping == b"\n"
