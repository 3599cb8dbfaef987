"""What a template writes for a call of an earlier turn is what the grammar of the next one generates, and what the
parser reads."""

import json
from typing import Any

import pytest

from server.chat.template.template import ChatTemplate
from server.chat.tools.grammar import argument_schemas
from server.chat.tools.output_parser import OutputParser, ToolCallDelta
from tests.server.chat.tools.round_trips import (
    ARGUMENTS,
    LAST,
    TEXT,
    assert_is_generated_and_read,
    read_calls,
    tool_request,
    written_call,
)
from tests.server.chat.tools.templates import KEYS_AND_VALUES, NATIVE_STYLES, PARAMETER_TAGS, STYLES
from tests.slots.engine_runner import EngineRunner

ENDS = ("<|im_end|>", "</s>", "<|eom_id|>", "<|eot_id|>")


@pytest.mark.parametrize("style", STYLES)
def test_a_call_with_values_of_all_kinds(runner: EngineRunner, style: str) -> None:
    template = ChatTemplate(STYLES[style].source, "<s>", "</s>")
    text = written_call(template, ENDS, ARGUMENTS)
    assert_is_generated_and_read(runner.engine, STYLES[style].format, text, ARGUMENTS)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("left_out", ["a_text", "f_place", "all"])
def test_arguments_may_be_left_out(runner: EngineRunner, style: str, left_out: str) -> None:
    arguments = {name: value for name, value in ARGUMENTS.items() if left_out not in (name, "all") or name == "z_last"}
    text = written_call(ChatTemplate(STYLES[style].source, "<s>", "</s>"), ENDS, arguments)
    assert_is_generated_and_read(runner.engine, STYLES[style].format, text, arguments)


@pytest.mark.parametrize("style", NATIVE_STYLES)
@pytest.mark.parametrize(
    "text",
    ["", " ", "\n", "\nx\n", "'", '"', "''", "\\", "\\n", "<", "</", "</parameter", "{", "null", "5", "é😀", "a, b=1)"],
)
def test_strings_of_any_content(runner: EngineRunner, style: str, text: str) -> None:
    arguments: dict[str, Any] = {"a_text": text, "z_last": LAST}
    written = written_call(ChatTemplate(NATIVE_STYLES[style].source, "<s>", "</s>"), ENDS, arguments)
    assert_is_generated_and_read(runner.engine, NATIVE_STYLES[style].format, written, arguments)


@pytest.mark.parametrize("style", NATIVE_STYLES)
def test_null_is_no_string_where_it_may_be_either(runner: EngineRunner, style: str) -> None:
    arguments: dict[str, Any] = {"h_maybe": None, "z_last": LAST}
    written = written_call(ChatTemplate(NATIVE_STYLES[style].source, "<s>", "</s>"), ENDS, arguments)
    assert_is_generated_and_read(runner.engine, NATIVE_STYLES[style].format, written, arguments)


def test_white_space_between_tags_makes_no_difference() -> None:
    text = "<tool_call>needle_alpha<arg_key>a_text</arg_key><arg_value>x</arg_value></tool_call>"
    spaced = text.replace("><", "> \n <")
    for each in (text, spaced):
        assert read_calls(KEYS_AND_VALUES.format, tool_request(), [each]) == [("needle_alpha", {"a_text": "x"})]


def test_a_string_may_come_without_the_line_breaks_around_it() -> None:
    text = "<tool_call>\n<function=needle_alpha>\n<parameter=a_text>x</parameter>\n</function>\n</tool_call>"
    assert read_calls(PARAMETER_TAGS.format, tool_request(), [text]) == [("needle_alpha", {"a_text": "x"})]


def test_a_long_string_is_returned_while_it_comes() -> None:
    written = written_call(ChatTemplate(PARAMETER_TAGS.source, "", ""), ENDS, {"a_text": TEXT * 9, "z_last": LAST})
    half = written[: len(written) // 2]
    parser = OutputParser(
        PARAMETER_TAGS.format, None, arguments=argument_schemas(PARAMETER_TAGS.format, tool_request())
    )
    shown = "".join(delta.text for delta in parser.feed(half) if isinstance(delta, ToolCallDelta))
    assert json.loads(shown + '"}') == {"a_text": (TEXT * 9)[: len(json.loads(shown + '"}')["a_text"])]}
    assert len(shown) > len(half) - 100
