"""Streams of responses with OpenAI's client."""

import json
from pathlib import Path
from typing import Any

import requests

from tests.clients.openai_clients import MODEL, openai_client
from tests.clients.openai_responses.asking import TELL, ask, ask_events, items, kinds
from tests.conftest import running_server
from tests.server.http_client import SECONDS, Json, open_stream, post

YES: dict[str, Any] = {"extra_body": {"grammar": 'root ::= "yes"'}}


def test_events_come_in_their_order(server: str) -> None:
    events = ask_events(server, **YES)
    assert kinds(events) == [
        *("created", "in_progress", "output_item.added", "content_part.added", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done", "completed"),
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert {event.output_index for event in events if hasattr(event, "output_index")} == {0}
    created, last = events[0].response, events[-1].response
    assert (created.id, created.status, created.output, created.usage) == (last.id, "in_progress", [], None)
    assert (last.status, last.output_text) == ("completed", "yes")


def test_a_stream_is_the_whole_in_pieces(server: str) -> None:
    events = ask_events(server, max_output_tokens=20)
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    whole = ask(server, max_output_tokens=20)
    assert len(deltas) > 3
    assert "".join(deltas) == whole.output_text
    assert items(events[-1].response) == items(whole)
    assert [event.item for event in events if event.type == "response.output_item.done"] == events[-1].response.output


def test_a_stream_that_the_limit_ends_is_incomplete(server: str) -> None:
    last = ask_events(server)[-1]
    assert (last.type, last.response.status) == ("response.incomplete", "incomplete")
    assert last.response.incomplete_details.reason == "max_output_tokens"


def test_the_helper_collects_the_whole(server: str) -> None:
    options: Any = {"model": MODEL, "input": TELL, "temperature": 0, **YES}
    with openai_client(server).responses.stream(**options) as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert text == final.output_text == "yes"


def test_events_have_names_and_no_other_end(server: str) -> None:
    body = post(server, {"input": TELL, "max_output_tokens": 2, "stream": True}, "/v1/responses").text
    names = [line.removeprefix("event: ") for line in body.splitlines() if line.startswith("event: ")]
    assert names[0] == "response.created"
    assert names[-1] == "response.incomplete"
    assert "[DONE]" not in body
    assert body.endswith("\n\n")


def test_progress_is_told_as_llama_cpp_does(server: str) -> None:
    options = {"return_progress": True, "timings_per_token": True, "cache_prompt": False}
    events = [event.to_dict() for event in ask_events(server, extra_body=options)]
    progress = [event for event in events if "prompt_progress" in event]
    assert {event["type"] for event in progress} == {"response.in_progress"}
    total = progress[-1]["prompt_progress"]["total"]
    assert progress[-1]["prompt_progress"]["processed"] == total
    assert events[0]["type"] == "response.created"
    assert all("timings" in event for event in events if event["type"] == "response.output_text.delta")
    # llama.cpp's clients know no other end.
    assert events[-1]["type"] == "response.completed"
    assert events[-1]["response"]["status"] == "incomplete"
    assert events[-1]["timings"]["predicted_n"] == 8


def test_a_client_that_leaves_frees_the_slot(server: str) -> None:
    endless: Json = {"input": TELL, "stream": True, "ignore_eos": True}
    for _ in range(6):
        with requests.post(f"{server}/v1/responses", json=endless, stream=True, timeout=SECONDS) as response:
            assert next(response.iter_lines())
    assert ask(server).output_text


def test_a_whole_response_has_the_timings_of_llama_cpp(server: str) -> None:
    whole = post(server, {"input": TELL, "max_output_tokens": 2}, "/v1/responses").json()
    assert whole["timings"]["predicted_n"] == 2


def test_a_place_in_the_queue_is_told_while_another_text_is_written(tmp_path: Path) -> None:
    with running_server(tmp_path, "--parallel", "1") as url, open_stream(url):
        body: Json = {"input": TELL, "stream": True, "return_progress": True}
        with requests.post(f"{url}/v1/responses", json=body, stream=True, timeout=SECONDS) as response:
            lines = (line.removeprefix(b"data: ") for line in response.iter_lines() if line.startswith(b"data: "))
            created, _, queued = (json.loads(next(lines)) for _ in range(3))
    assert (created["type"], queued["type"]) == ("response.created", "response.queued")
    assert (queued["response"]["id"], queued["response"]["status"]) == (created["response"]["id"], "queued")
    assert queued["queue"]["position"] == 1
    assert queued["queue"]["waiting_ms"] >= 0
