"""Calls of earlier turns as templates write them, taken for what a model generates."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from grammar.matcher import CompiledGrammar
from server.chat.template.probe_turns import ProbeTurns
from server.chat.template.probes import CALLS
from server.chat.template.template import ChatTemplate
from server.chat.tools.call_format import ToolFormat
from server.chat.tools.grammar import argument_schemas, tool_call_grammar
from server.chat.tools.output_parser import OutputDelta, OutputParser, ToolCallDelta, ToolCallStart
from server.chat.tools.request import ToolRequest
from slots.engine import Engine
from tests.server.chat.tools.example_tools import make_tool_request

NAME = CALLS[0].name
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "a_text": {"type": "string"},
        "b_count": {"type": "integer"},
        "c_ratio": {"type": "number"},
        "d_flag": {"type": "boolean"},
        "e_list": {"type": "array", "items": {"type": "string"}},
        "f_place": {"$ref": "#/$defs/place"},
        "g_color": {"enum": ["red", "dark blue"]},
        "h_maybe": {"type": ["string", "null"]},
        "z_last": {"type": "string"},
    },
    "required": ["z_last"],
    "$defs": {"place": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
}
"""In the order of the alphabet, in which some templates write arguments."""
TEXT = 'She said "no" to <b>us</b> & them,\n  twice:\n\tnever — 永遠に \\o/'
LAST = "straw the last"
ARGUMENTS: dict[str, Any] = {
    "a_text": TEXT,
    "b_count": 12345678901234567,
    "c_ratio": -2.5,
    "d_flag": True,
    "e_list": ["x", "y z"],
    "f_place": {"city": "Zürich"},
    "g_color": "dark blue",
    "h_maybe": "nothing",
    "z_last": LAST,
}


def tool_request() -> ToolRequest:
    return make_tool_request("required", parallel=False, schemas={NAME: SCHEMA})


def written_call(template: ChatTemplate, ends: Sequence[str], arguments: Mapping[str, Any]) -> str:
    """Returns the call as the template writes it."""
    turn = ProbeTurns(template, ends).of_arguments(arguments, LAST)
    assert turn is not None
    return turn


def refused_at(engine: Engine, grammar: CompiledGrammar, text: str) -> str | None:
    """Returns the rest of a text at the first token that a grammar does not allow, or "" if it may not end there; None
    if it is what the grammar describes."""
    matcher = grammar.matcher()
    tokens = engine.vocab.tokenize_plain(text, add_special=False, parse_special=True)
    for index, token in enumerate(tokens):
        if not matcher.allows(token):
            return engine.vocab.display_all(tokens[index:])
        matcher.accept(token)
    return None if matcher.may_end else ""


def assert_is_generated_and_read(
    engine: Engine, tool_format: ToolFormat, text: str, arguments: Mapping[str, Any]
) -> None:
    """The grammar of a required call allows the text, and the parser reads the arguments, whole and streamed."""
    request = tool_request()
    grammar = engine.grammars.compile(tool_call_grammar(tool_format, request, None))
    assert refused_at(engine, grammar, text) is None
    for length in (len(text), 1, 7):
        pieces = [text[start : start + length] for start in range(0, len(text), length)]
        assert read_calls(tool_format, request, pieces) == [(NAME, arguments)]


def read_calls(tool_format: ToolFormat, request: ToolRequest, pieces: Sequence[str]) -> list[tuple[str, Any]]:
    parser = OutputParser(tool_format, None, (), argument_schemas(tool_format, request))
    deltas: list[OutputDelta] = [delta for piece in pieces for delta in parser.feed(piece)]
    deltas += parser.finish()
    assert all(isinstance(delta, ToolCallStart | ToolCallDelta) for delta in deltas)
    assert not parser.ends_within_call
    names = [delta.name for delta in deltas if isinstance(delta, ToolCallStart)]
    texts = [""] * len(names)
    for delta in deltas:
        if isinstance(delta, ToolCallDelta):
            texts[delta.index] += delta.text
    return [(name, json.loads(text)) for name, text in zip(names, texts, strict=True)]
