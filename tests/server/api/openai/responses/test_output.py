"""Items of an output, whole and as events."""

from typing import Any

import pytest

from server.api.openai.responses.output import Logprobs, Output
from server.api.openai.responses.tools import read_tools
from server.chat.tools.output_parser import ContentDelta, OutputDelta, ReasoningDelta, ToolCallDelta, ToolCallStart

TOOLS = read_tools(
    [
        {"type": "function", "name": "read"},
        {"type": "custom", "name": "patch"},
        {"type": "namespace", "name": "github", "tools": [{"type": "function", "name": "read"}]},
    ]
)
PIECES: list[OutputDelta] = [
    ReasoningDelta("Hm"),
    ReasoningDelta("."),
    ContentDelta("I read"),
    ContentDelta(" it."),
    ToolCallStart(0, "a", "read"),
    ToolCallDelta(0, '{"n":'),
    ToolCallDelta(0, " 1}"),
    ToolCallStart(1, "b", "patch"),
    ToolCallDelta(1, '{"input": "*** \\"'),
    ToolCallDelta(1, 'ä"}'),
    ToolCallStart(2, "c", "github.read"),
    ToolCallDelta(2, "{}"),
]


def collect(
    pieces: list[OutputDelta],
    output: Output | None = None,
    *,
    is_cut: bool = False,
    ends_within_call: bool = False,
) -> tuple[list[Any], list[Any]]:
    """Returns the events, and the items."""
    output = output or Output(TOOLS.offered)
    events: list[Any] = output.add(pieces, [])
    events += output.finish(is_cut=is_cut, ends_within_call=ends_within_call)
    return events, output.json()


def shown(item: Any) -> Any:
    return item["content"][0]["text"] if "content" in item else item.get("arguments", item.get("input"))


def test_each_change_of_kind_and_each_call_begins_an_item() -> None:
    _, items = collect(PIECES)
    assert [(item["type"], shown(item)) for item in items] == [
        ("reasoning", "Hm."),
        ("message", "I read it."),
        ("function_call", '{"n": 1}'),
        ("custom_tool_call", '*** "ä'),
        ("function_call", "{}"),
    ]
    assert {item["status"] for item in items} == {"completed"}
    assert [item["id"].split("_")[0] for item in items] == ["rs", "msg", "fc", "ctc", "fc"]


def test_a_call_has_the_name_and_the_namespace_of_its_tool() -> None:
    _, items = collect(PIECES)
    names = [(item["call_id"], item["name"], item.get("namespace")) for item in items[2:]]
    assert names == [("a", "read", None), ("b", "patch", None), ("c", "read", "github")]


def test_events_open_fill_and_close_one_item_after_the_other() -> None:
    events, items = collect(PIECES)
    streamed = [""] * len(items)
    place = -1
    for event in events:
        kind = event["type"]
        place += kind == "response.output_item.added"
        assert event["output_index"] == place
        if "item" not in event:
            assert event["item_id"] == items[place]["id"]
        if kind.endswith(".delta"):
            streamed[place] += event["delta"]
        if kind == "response.output_item.done":
            assert event["item"] == items[place]
        if kind.endswith((".text.done", "arguments.done", "input.done")):
            assert next(event[name] for name in ("text", "arguments", "input") if name in event) == streamed[place]
    assert streamed == [shown(item) for item in items]


def test_an_item_is_added_without_its_text() -> None:
    events, _ = collect(PIECES)
    added = [event["item"] for event in events if event["type"] == "response.output_item.added"]
    assert {item["status"] for item in added} == {"in_progress"}
    assert [item.get("content", item.get("arguments", item.get("input"))) for item in added] == [[], [], "", "", ""]


def test_thoughts_may_be_a_summary() -> None:
    events, [item] = collect(PIECES[:2], Output({}, is_summary=True))
    assert item["summary"] == [{"type": "summary_text", "text": "Hm."}]
    assert "content" not in item
    kinds = [event["type"].removeprefix("response.") for event in events]
    assert kinds == [
        "output_item.added",
        "reasoning_summary_part.added",
        *["reasoning_summary_text.delta"] * 2,
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
    ]
    assert {event["summary_index"] for event in events[1:-1]} == {0}


def test_thoughts_are_sealed_when_they_are_complete() -> None:
    events, [item] = collect(PIECES[:2], Output({}, is_sealed=True))
    assert events[0]["item"]["encrypted_content"] is None
    assert item["encrypted_content"].startswith("llama-slots:")
    assert collect(PIECES[:2])[1][0]["encrypted_content"] is None


def test_an_output_without_text_is_an_empty_message() -> None:
    _, [item] = collect([])
    assert (item["type"], shown(item)) == ("message", "")


@pytest.mark.parametrize(
    ("n_pieces", "is_cut", "ends_within_call", "status"),
    [
        (3, True, False, "incomplete"),
        (6, True, True, "incomplete"),
        (6, False, True, "incomplete"),
        (7, True, False, "completed"),
    ],
)
def test_only_what_is_cut_off_is_incomplete(n_pieces: int, is_cut: bool, ends_within_call: bool, status: str) -> None:
    _, items = collect(PIECES[:n_pieces], is_cut=is_cut, ends_within_call=ends_within_call)
    assert [item["status"] for item in items] == [*["completed"] * (len(items) - 1), status]


def test_the_input_of_a_custom_call_that_is_cut_off_is_its_beginning() -> None:
    _, items = collect(PIECES[:9], is_cut=True, ends_within_call=True)
    assert (items[-1]["input"], items[-1]["status"]) == ('*** "', "incomplete")


def test_log_probabilities_are_those_of_the_text() -> None:
    output = Output({})
    thought, word, end = (Logprobs([{"token": token}]) for token in ("Hm", "A", "."))
    output.add([ReasoningDelta("Hm")], [*thought])
    assert output.add([ContentDelta("A")], [*word])[-1]["logprobs"] == word
    output.add([ContentDelta(".")], [*end])
    output.finish(is_cut=False, ends_within_call=False)
    content: Any = output.json()[-1]["content"]
    assert content[0]["logprobs"] == [*word, *end]
