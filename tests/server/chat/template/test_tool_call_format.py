"""The tool format is inferred from rendered calls."""

import pytest

from server.chat.template.template import ChatTemplate
from server.chat.template.tool_call_format import infer_tool_format
from server.chat.tools.call_format import Placeholder, ToolFormat
from tests.server.chat.tools.templates import (
    ENDS_OTHERWISE,
    LONG,
    NAME_FIRST,
    NO_CALLS,
    RUN_TOGETHER,
    STYLES,
    TAGGED,
    Style,
)

ENDS = ("<|im_end|>", "</s>", "<|eom_id|>", "<|eot_id|>")


def infer(source: str) -> ToolFormat | None:
    return infer_tool_format(ChatTemplate(source, "<s>", "</s>"), ENDS)


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_the_format_of_a_template_is_found(style: Style) -> None:
    assert infer(style.source) == style.format


def test_arguments_that_are_not_told_apart_are_not_understood() -> None:
    assert infer(RUN_TOGETHER) is None


def test_a_call_that_begins_like_any_text_is_not_understood() -> None:
    assert infer(NAME_FIRST) is None


def test_long_text_around_calls_is_not_theirs() -> None:
    assert infer(LONG) is None


def test_a_template_without_calls_has_no_format() -> None:
    assert infer(NO_CALLS) is None


def test_a_prompt_that_opens_the_thoughts_is_not_part_of_the_format() -> None:
    thinking = TAGGED.source.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}")
    assert infer(thinking) == TAGGED.format


def test_empty_thoughts_in_front_of_the_last_answer_are_not_part_of_the_format() -> None:
    thinking = TAGGED.source.replace(
        "{{ message.content or '' }}",
        "{% if message.role == 'assistant' %}<think>\n\n</think>\n\n{% endif %}{{ message.content or '' }}",
    )
    assert infer(thinking) == TAGGED.format


def test_calls_that_end_like_other_answers_need_no_list_of_ends() -> None:
    assert infer_tool_format(ChatTemplate(TAGGED.source, "", "")) == TAGGED.format


def test_a_text_that_ends_a_generation_is_not_part_of_the_format() -> None:
    without = infer_tool_format(ChatTemplate(ENDS_OTHERWISE.source, "", ""))
    assert without is not None
    assert without.closing == "<|eom_id|>"
    assert infer(ENDS_OTHERWISE.source) == ENDS_OTHERWISE.format


def test_the_pieces_make_up_the_text_of_calls() -> None:
    written = TAGGED.format.write([("a", '{"x": 1}', "1"), ("b", "{}", "2")])
    assert written == (
        '<tool_call>\n{"name": "a", "arguments": {"x": 1}}\n</tool_call>\n'
        '<tool_call>\n{"name": "b", "arguments": {}}\n</tool_call>'
    )


def test_white_space_is_marked_where_json_and_tags_meet() -> None:
    pieces = ToolFormat(
        call=('<t>{"name":"', Placeholder.NAME, '","arguments":', Placeholder.ARGUMENTS, "}</t>")
    ).first_call
    text = "".join(
        "_" if piece is Placeholder.SPACE else piece.value if isinstance(piece, Placeholder) else piece
        for piece in pieces
    )
    assert text == '<t>_{_"name"_:_"name"_,_"arguments"_:_arguments_}_</t>'
