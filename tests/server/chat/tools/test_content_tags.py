"""Answers whose text has tags of its own, such as the channels of gpt-oss: they are generated, and left out."""

import json
from collections.abc import Sequence

import pytest

from server.chat.tools.call_format import Placeholder, ToolFormat
from server.chat.tools.grammar import json_answer_grammar, tool_call_grammar
from server.chat.tools.known_formats import FURTHER_FORMS
from server.chat.tools.output_parser import ContentDelta, OutputDelta, OutputParser, ReasoningDelta, ToolCallDelta
from server.chat.tools.reasoning import ContentTags, ReasoningTags
from tests.server.chat.tools.example_tools import SCHEMAS, make_tool_request
from tests.server.chat.tools.round_trips import refused_at
from tests.slots.engine_runner import EngineRunner

NEXT = "<|end|><|start|>assistant"
THOUGHTS = ReasoningTags("<|channel|>analysis<|message|>", NEXT, is_open=False)
CONTENT = (ContentTags("<|channel|>final<|message|>", NEXT), ContentTags("<|channel|>commentary<|message|>", NEXT))
CALLS = ToolFormat(
    call=("to=functions.", Placeholder.NAME, "<|channel|>commentary json<|message|>", Placeholder.ARGUMENTS),
    other_calls=FURTHER_FORMS["to=functions."],
)
THOUGHT = f"{THOUGHTS.start}Hm.{NEXT}"
BEFORE = f"<|channel|>commentary<|message|>I look.{NEXT}"
ANSWER = "<|channel|>final<|message|>Yes."
PERSON = '{"is_old": true}'
CALL = f" to=functions.find_person<|channel|>commentary json<|message|>{PERSON}"
OTHER_CALL = f"<|channel|>commentary to=functions.find_person <|constrain|>json<|message|>{PERSON}"


def parse(text: str, n_characters: int) -> tuple[str, str, str]:
    """Returns the reasoning, the content and the arguments of calls in a text that comes in pieces."""
    parser = OutputParser(CALLS, THOUGHTS, CONTENT)
    deltas = [
        delta for start in range(0, len(text), n_characters) for delta in parser.feed(text[start:][:n_characters])
    ]
    deltas += parser.finish()
    return _join(deltas, ReasoningDelta), _join(deltas, ContentDelta), _join(deltas, ToolCallDelta)


def _join(deltas: Sequence[OutputDelta], kind: type[ReasoningDelta] | type[ContentDelta] | type[ToolCallDelta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, kind))


@pytest.mark.parametrize("n_characters", [1, 5, 1000])
@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (ANSWER, ("", "Yes.", "")),
        (THOUGHT + ANSWER, ("Hm.", "Yes.", "")),
        (THOUGHT + CALL, ("Hm.", "", PERSON)),
        (THOUGHT + OTHER_CALL, ("Hm.", "", PERSON)),
        (BEFORE + CALL, ("", "I look.", PERSON)),
        (THOUGHT + BEFORE + OTHER_CALL, ("Hm.", "I look.", PERSON)),
        (BEFORE + THOUGHT + ANSWER, ("Hm.", "I look.Yes.", "")),
        ("Nothing but text, to=nobody", ("", "Nothing but text, to=nobody", "")),
        ("<|channel|>final<|mess", ("", "<|channel|>final<|mess", "")),
        (THOUGHTS.start + "Endless", ("Endless", "", "")),
    ],
)
def test_each_part_is_what_its_tags_say(text: str, parts: tuple[str, str, str], n_characters: int) -> None:
    assert parse(text, n_characters) == parts


@pytest.mark.parametrize("text", [ANSWER, THOUGHT + ANSWER, BEFORE + CALL, THOUGHT + BEFORE + OTHER_CALL])
def test_tools_that_may_be_called_leave_everything_else_possible(runner: EngineRunner, text: str) -> None:
    source = tool_call_grammar(CALLS, make_tool_request("auto", parallel=False), THOUGHTS, None, CONTENT)
    assert refused_at(runner.engine, runner.engine.grammars.compile(source), text) is None


@pytest.mark.parametrize("text", [CALL, OTHER_CALL, THOUGHT + CALL])
def test_a_required_call_has_each_of_its_forms(runner: EngineRunner, text: str) -> None:
    source = tool_call_grammar(CALLS, make_tool_request("required", parallel=False), THOUGHTS, None, CONTENT)
    grammar = runner.engine.grammars.compile(source)
    assert refused_at(runner.engine, grammar, text) is None
    assert refused_at(runner.engine, grammar, ANSWER) is not None


def test_json_is_written_where_the_text_would_be(runner: EngineRunner) -> None:
    source = json_answer_grammar(json.dumps(SCHEMAS["find_person"]), THOUGHTS, CONTENT)
    grammar = runner.engine.grammars.compile(source)
    assert refused_at(runner.engine, grammar, THOUGHT + "<|channel|>final<|message|>" + PERSON) is None
    assert refused_at(runner.engine, grammar, ANSWER) == "Yes."
