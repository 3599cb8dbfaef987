"""Blocks of an answer, whole and as events."""

from typing import Any

import orjson
import pytest

from server.api.anthropic.response import Block, Content
from server.chat.tools.output_parser import ContentDelta, OutputDelta, ReasoningDelta, ToolCallDelta, ToolCallStart

PIECES: list[OutputDelta] = [
    ReasoningDelta("Hm"),
    ReasoningDelta("."),
    ContentDelta("I read it."),
    ToolCallStart(0, "a", "read"),
    ToolCallDelta(0, '{"n":'),
    ToolCallDelta(0, " 1}"),
    ToolCallStart(1, "b", "read"),
    ToolCallDelta(1, "{}"),
]


def as_json(content: Content) -> Any:
    return orjson.loads(orjson.dumps([block.json() for block in content.blocks]))


def input_of(arguments: str) -> Any:
    return orjson.dumps(Block("tool_use", arguments, "a", "read").json()["input"]).decode()


def test_each_change_of_kind_and_each_call_begins_a_block() -> None:
    content = Content()
    content.add(PIECES)
    assert [(block["type"], block.get("input")) for block in as_json(content)] == [
        ("thinking", None),
        ("text", None),
        ("tool_use", {"n": 1}),
        ("tool_use", {}),
    ]


def test_events_open_fill_and_close_one_block_after_the_other() -> None:
    content = Content()
    events: list[Any] = [*content.add(PIECES[:4]), *content.add(PIECES[4:]), *content.finish()]
    open_index, streamed = -1, [""] * 4
    for event in events:
        match event["type"]:
            case "content_block_start":
                assert event["index"] == open_index + 1
                open_index += 1
            case "content_block_delta":
                assert event["index"] == open_index
                kind, *values = event["delta"].values()
                if kind != "signature_delta":
                    streamed[open_index] += values[0]
                else:
                    assert values[0] == content.blocks[0].signature
            case "content_block_stop":
                assert event["index"] == open_index
    assert streamed == ["Hm.", "I read it.", '{"n": 1}', "{}"]
    assert sum(event["type"] == "content_block_stop" for event in events) == len(content.blocks)


def test_an_answer_without_text_has_an_empty_block() -> None:
    content = Content()
    assert [event["type"] for event in content.finish()] == ["content_block_start", "content_block_stop"]  # type: ignore[index]
    assert as_json(content) == [{"type": "text", "text": ""}]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"n": 1234567890123456789012345678901234567890}', '{"n": 1234567890123456789012345678901234567890}'),
        ('{"x": 1e999}', '{"arguments":"{\\"x\\": 1e999}"}'),
        ('{"city": "Par', '{"city": "Par"}'),
        ('{"n": 12345678901234567890123456789, "city', '{"n": 12345678901234567890123456789}'),
        ("", "{}"),
        ("[1]", '{"arguments": "[1]"}'),
        ("{oops", '{"arguments": "{oops"}'),
        ('{"a": "\\ud800"}', '{"arguments": "{\\"a\\": \\"\\\\ud800\\"}"}'),
    ],
)
def test_input_is_an_object_whatever_was_generated(arguments: str, expected: str) -> None:
    assert orjson.loads(input_of(arguments)) == orjson.loads(expected)
    if "123" in arguments:
        assert input_of(arguments) == expected


def test_thoughts_of_equal_text_have_equal_signatures() -> None:
    first, second = (Block("thinking", words).json()["signature"] for words in ("a", "b"))
    assert first == Block("thinking", "a").json()["signature"] != second
