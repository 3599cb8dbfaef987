"""OutputParser: a turn is split while it is generated."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.chat.tools.call_format import GENERIC_FORMAT, Placeholder, ToolFormat
from server.chat.tools.output_parser import (
    ContentDelta,
    OutputDelta,
    OutputParser,
    ReasoningDelta,
    ToolCallDelta,
    ToolCallStart,
)
from server.chat.tools.reasoning import ReasoningTags
from tests.server.chat.tools.templates import (
    ARGUMENTS_FIRST,
    BARE,
    BARE_LIST,
    ID_FIRST,
    LISTED,
    NATIVE_STYLES,
    STYLES,
    TOKENS,
)

REASONING = ReasoningTags("<think>", "</think>", is_open=False)
OPEN_REASONING = replace(REASONING, is_open=True)
CALL = '<tool_call>\n{"name": "look", "arguments": {"at": "it"}}\n</tool_call>'


def parse(
    text: str, tool_format: ToolFormat | None = GENERIC_FORMAT, tags: ReasoningTags | None = None
) -> list[OutputDelta]:
    parser = OutputParser(tool_format, tags)
    return parser.feed(text) + parser.finish()


def merge_deltas(deltas: list[OutputDelta]) -> list[OutputDelta]:
    """Joins adjacent deltas of a kind, and removes random call ids."""
    merged: list[OutputDelta] = []
    for delta in deltas:
        match merged[-1:], delta:
            case [ContentDelta(before)], ContentDelta(text):
                merged[-1] = ContentDelta(before + text)
            case [ReasoningDelta(before)], ReasoningDelta(text):
                merged[-1] = ReasoningDelta(before + text)
            case [ToolCallDelta(index, before)], ToolCallDelta(same, text) if index == same:
                merged[-1] = ToolCallDelta(index, before + text)
            case _, ToolCallStart():
                merged.append(replace(delta, call_id=""))
            case _:
                merged.append(delta)
    return merged


def call(index: int, name: str, arguments: str) -> list[OutputDelta]:
    return [ToolCallStart(index, "", name), ToolCallDelta(index, arguments)]


LOOK = call(0, "look", '{"at": "it"}')


@pytest.mark.parametrize("name", ["mcp/server/tool", "server:tool", "mcp__" + "x" * 80, "wetter_für"])
def test_names_may_have_the_characters_of_mcp_servers(name: str) -> None:
    assert merge_deltas(parse(CALL.replace("look", name))) == call(0, name, '{"at": "it"}')


@pytest.mark.parametrize(
    ("text", "tags", "expected"),
    [
        ("Hello\n", None, [ContentDelta("Hello\n")]),
        ("\n\nHello", None, [ContentDelta("\n\nHello")]),
        ("", None, []),
        ("<think>\nWell, \n</think>\n\nHello\n", REASONING, [ReasoningDelta("Well,"), ContentDelta("Hello\n")]),
        (" \n<think>a</think>b", REASONING, [ReasoningDelta("a"), ContentDelta("b")]),
        ("<think>\n\n</think>\n\nHello", REASONING, [ContentDelta("Hello")]),
        ("Hello <think>a</think>", REASONING, [ContentDelta("Hello <think>a</think>")]),
        ("  <thin", REASONING, [ContentDelta("  <thin")]),
        ("<think>a b </thi", REASONING, [ReasoningDelta("a b </thi")]),
        ("\nWell\n</think>\n\nHello", OPEN_REASONING, [ReasoningDelta("Well"), ContentDelta("Hello")]),
        ("Well\n", OPEN_REASONING, [ReasoningDelta("Well")]),
        ("<think>a</think>b", None, [ContentDelta("<think>a</think>b")]),
        (CALL, None, LOOK),
        (f" \n{CALL}\n", None, LOOK),
        (f"I look.\n\n{CALL}", None, [ContentDelta("I look."), *LOOK]),
        (f"{CALL}\n{CALL}", None, [*LOOK, *call(1, "look", '{"at": "it"}')]),
        (f"<think>{CALL}?</think>\n{CALL}", REASONING, [ReasoningDelta(f"{CALL}?"), *LOOK]),
        (f"{CALL}\n So\n{CALL} ", None, [*LOOK, ContentDelta("So"), *call(1, "look", '{"at": "it"}')]),
        ("a <tool_call>b", None, [ContentDelta("a <tool_call>b")]),
        ("a <tool_call> b" + CALL, None, [ContentDelta("a <tool_call> b"), *LOOK]),
        ("a <tool_c", None, [ContentDelta("a <tool_c")]),
        ('<tool_call>\n{"na', None, [ContentDelta('<tool_call>\n{"na')]),
        ('<tool_call>{"name":"look","arguments":{"at": "}\\"', None, call(0, "look", '{"at": "}\\"')),
        ('<tool_call>\n{"name": "look", "arguments": {"at": "it"}', None, LOOK),
        ('<tool_call>{ "name":"look","arguments" :\n{} } </tool_call>', None, call(0, "look", "{}")),
    ],
)  # fmt: skip
def test_a_turn_is_taken_apart(text: str, tags: ReasoningTags | None, expected: list[OutputDelta]) -> None:
    assert merge_deltas(parse(text, tags=tags)) == expected


def test_without_a_format_calls_are_text() -> None:
    assert parse(CALL, tool_format=None) == [ContentDelta(CALL)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('\n{"name": "f", "parameters": {"a": 1}}', call(0, "f", '{"a": 1}')),
        ('{"title": "f"}', [ContentDelta('{"title": "f"}')]),
        ('So: {"name": "f", "parameters": {"a": 1}}', [ContentDelta('So: {"name": "f", "parameters": {"a": 1}}')]),
        ('{"name": "f", "parameters": {}}\nSo', [*call(0, "f", "{}"), ContentDelta("So")]),
    ],
)
def test_bare_json_is_a_call_only_at_the_start(text: str, expected: list[OutputDelta]) -> None:
    assert merge_deltas(parse(text, BARE.format)) == expected


def test_calls_of_a_list_end_with_it() -> None:
    text = '[{"name": "f", "arguments": {}}, {"name": "g", "arguments": {"x": []}}]'
    assert merge_deltas(parse(text, BARE_LIST.format)) == [*call(0, "f", "{}"), *call(1, "g", '{"x": []}')]


def test_an_id_before_the_arguments_is_the_models_own() -> None:
    deltas = parse('<call id="abcdefgh1" name="f">{}</call>', ID_FIRST.format)
    assert deltas[0] == ToolCallStart(0, "abcdefgh1", "f")


def test_other_ids_are_nine_letters_and_digits_of_their_own() -> None:
    listed = (
        '[TOOL_CALLS] [{"name": "f", "arguments": {}, "id": "abcdefgh1"}, {"name": "f", "arguments": {}, "id": "abc'
    )
    ids = [delta.call_id for delta in parse(listed, LISTED.format) if isinstance(delta, ToolCallStart)]
    assert len(set(ids)) == 2
    assert all(len(call_id) == 9 and call_id.isascii() and call_id.isalnum() for call_id in ids)


def test_a_name_behind_the_arguments_is_waited_for() -> None:
    parser = OutputParser(ARGUMENTS_FIRST.format, None)
    assert parser.feed('<call>{"arguments": {"a": 1}, "na') == []
    assert merge_deltas(parser.feed('me": "f"}</call>')) == call(0, "f", '{"a": 1}')


def test_arguments_that_never_get_a_name_are_text() -> None:
    for cut in ('<call>{"arguments": {"a": 1', '<call>{"arguments": {"a": 1}, "na'):
        assert merge_deltas(parse(cut, ARGUMENTS_FIRST.format)) == [ContentDelta(cut)]


@pytest.mark.parametrize("rest", ["}", "}\n</tool_", "}\n</tool_call>", '}\n</tool_call>\n<tool_call>\n{"name": "lo'])
def test_what_is_cut_off_behind_a_call_is_dropped(rest: str) -> None:
    text = '<tool_call>\n{"name": "look", "arguments": {"at": "it"}' + rest
    assert merge_deltas(parse(text)) == LOOK


@pytest.mark.parametrize(
    ("text", "is_within"),
    [(CALL, False), (CALL[:-14], False), (CALL[:-16], True), (f"{CALL}\n{CALL[:-16]}", True), ("Hello", False)],
)
def test_it_is_known_whether_a_call_was_cut_off(text: str, is_within: bool) -> None:
    parser = OutputParser(GENERIC_FORMAT, None)
    parser.feed(text)
    parser.finish()
    assert parser.ends_within_call == is_within


def test_text_comes_as_soon_as_it_cannot_be_anything_else() -> None:
    parser = OutputParser(GENERIC_FORMAT, REASONING)
    texts = ["<th", "ink>\n", "ab", " ", "c", "</", "b></think", ">\n", "Hel", "lo ", "<", "b> ", "x"]
    deltas = [parser.feed(text) for text in texts]
    assert deltas == [
        [], [], [ReasoningDelta("ab")], [], [ReasoningDelta(" c")], [], [ReasoningDelta("</b>")],
        [], [ContentDelta("Hel")], [ContentDelta("lo")], [], [ContentDelta(" <b>")], [ContentDelta(" x")],
    ]  # fmt: skip


def test_arguments_come_as_they_are_written() -> None:
    parser = OutputParser(TOKENS.format, None)
    deltas = [parser.feed(text) for text in ("[TOOL_CALLS]", "lo", "ok", "[ARGS]", '{"a', '": "}', '"}', " \n")]
    named = deltas.pop(4)
    assert merge_deltas(named) == call(0, "look", '{"a')
    assert deltas == [[], [], [], [], [ToolCallDelta(0, '": "}')], [ToolCallDelta(0, '"}')], []]


NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,20}", fullmatch=True)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(st.text(max_size=6), VALUES, max_size=3)
CALLS = st.lists(st.tuples(NAMES, ARGUMENTS), min_size=1, max_size=3)
WORDS = st.text(st.characters(exclude_characters="<[{"), max_size=30)
"""Text in which no tag begins."""
TAGS = ("<think>", "</think>", "<tool_call>", "</tool_call>", "<tool", "[TOOL_CALLS]", "[ARGS]", "[", "]", "</call>")
JSON = ('{"name": "', "f", '", "arguments": ', "{", "}", '"', ", ", '<call>{"arguments": ', ', "name": "f"}')
FRAGMENTS = st.sampled_from([*TAGS, *JSON, "\n", " ", "text", "\\", "é"])
STYLE = st.sampled_from(list(STYLES.values()))
JSON_STYLE = st.sampled_from([style for name, style in STYLES.items() if name not in NATIVE_STYLES])
TEXTS = st.lists(FRAGMENTS | st.text(max_size=3), max_size=25).map("".join)
OPTIONAL_REASONING = st.sampled_from([None, REASONING, OPEN_REASONING])


def parse_in_chunks(
    text: str, cuts: list[int], tool_format: ToolFormat | None, tags: ReasoningTags | None
) -> list[OutputDelta]:
    parser = OutputParser(tool_format, tags)
    bounds = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    deltas = [delta for start, end in pairwise(bounds) for delta in parser.feed(text[start:end])]
    return deltas + parser.finish()


@given(TEXTS, st.lists(st.integers(0, 500), max_size=30), STYLE.map(lambda style: style.format), OPTIONAL_REASONING)
def test_how_a_text_is_cut_does_not_matter(
    text: str, cuts: list[int], tool_format: ToolFormat, tags: ReasoningTags | None
) -> None:
    assert merge_deltas(parse_in_chunks(text, cuts, tool_format, tags)) == merge_deltas(parse(text, tool_format, tags))


@given(TEXTS, OPTIONAL_REASONING)
def test_nothing_that_is_said_is_lost(text: str, tags: ReasoningTags | None) -> None:
    kept = "".join(delta.text for delta in parse(text, None, tags) if isinstance(delta, ContentDelta | ReasoningDelta))
    dropped = text if tags is None else text.replace(tags.end, "", 1)
    if tags == REASONING and text.lstrip().startswith("<think>"):
        dropped = text.replace("<think>", "", 1).replace("</think>", "", 1)
    elif tags == REASONING:
        dropped = text
    assert "".join(kept.split()) == "".join(dropped.split())


@given(JSON_STYLE, CALLS, WORDS, WORDS, st.lists(st.integers(0, 500), max_size=20))
def test_what_was_written_is_read(
    style: object, calls: list[tuple[str, dict[str, object]]], thoughts: str, words: str, cuts: list[int]
) -> None:
    tool_format = style.format  # type: ignore[attr-defined]
    if tool_format.separator is None:
        calls = calls[:1]
    if tool_format.is_only_at_start:
        words = ""
    written = [(name, json.dumps(arguments), "abcdefgh1") for name, arguments in calls]
    text = f"<think>{thoughts}</think>{words}\n{tool_format.write(written)}"
    expected: list[OutputDelta] = [ReasoningDelta(thoughts.strip())] if thoughts.strip() else []
    expected += [ContentDelta(words.strip())] if words.strip() else []
    for index, (name, arguments, _) in enumerate(written):
        expected += call(index, name, arguments)
    assert merge_deltas(parse_in_chunks(text, cuts, tool_format, REASONING)) == expected


@given(ARGUMENTS, st.integers(0, 3))
def test_arguments_end_where_their_json_does(arguments: dict[str, object], indent: int) -> None:
    written = json.dumps(arguments, indent=indent or None, ensure_ascii=not indent)
    tool_format = ToolFormat(call=("<f=", Placeholder.NAME, ">", Placeholder.ARGUMENTS))
    assert merge_deltas(parse(f"<f=g>{written}}}", tool_format)) == [*call(0, "g", written), ContentDelta("}")]
