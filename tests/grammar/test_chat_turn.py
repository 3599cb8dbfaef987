"""The grammar of an assistant's turn: reasoning, text, tool calls and JSON."""

import json
from typing import Any

import pytest

from grammar.compiler import GrammarCompiler
from grammar.errors import GrammarError
from grammar.matcher import CompiledGrammar, Matcher
from grammar.source import GrammarSource
from grammar.vocabulary import GrammarVocabulary
from tests.grammar.byte_level import END, THINK, UNTHINK, compile_grammar, feed, matches

CALL = 259
VOCABULARY = GrammarVocabulary(
    [*(bytes([byte]) for byte in range(256)), b"", b"", b"", b""],
    special=[THINK, UNTHINK, CALL],
    end_of_generation=[END],
    special_texts={"<think>": THINK, "</think>": UNTHINK, "<call>": CALL, "<end>": END},
)
"""The byte-level vocabulary with a token that begins a call."""
CITY = '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}'
NUMBER = '{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}'
SCHEMAS = [['the parameters of the tool "weather"', CITY], ['the parameters of the tool "double"', NUMBER]]
OPEN_THOUGHTS = {"start": "<think>", "end": "</think>", "is_open": True}
THOUGHTS = OPEN_THOUGHTS | {"is_open": False}

WEATHER = '<call>{"name": "weather", "arguments": {"city": "Rome"}}</call>'
DOUBLE = '<call>{"name": "double", "arguments": {"n": 21}}</call>'


def calls(*, several: bool = True) -> dict[str, Any]:
    inner: list[list[Any]] = [
        ['{"name"', ":", f'"{name}"', ",", '"arguments"', ":", {"schema": number}, "}", "</call>"]
        for number, name in enumerate(("weather", "double"))
    ]
    inner = [[part for known in parts for part in (None, known)] for parts in inner]
    later = [[None, "<call>", *parts] for parts in inner] if several else []
    return {"trigger": ["<call>"], "only_at_start": False, "first": inner, "later": later, "end": []}


def bare_calls() -> dict[str, Any]:
    first = [[f'{name}"', None, ",", {"schema": n}, None, "}"] for n, name in enumerate(("weather", "double"))]
    return {"trigger": ["{", None, '"name"', ":", '"'], "only_at_start": True, "first": first, "later": [], "end": []}


def turn(**members: Any) -> str:
    return json.dumps({"thoughts": None, "text": True, "calls": None, "json": None, "schemas": SCHEMAS} | members)


def grammar(**members: Any) -> CompiledGrammar:
    return compile_grammar(turn(**members), "turn")


def with_tokens(**members: Any) -> Matcher:
    return GrammarCompiler(VOCABULARY).compile(GrammarSource("turn", turn(**members))).matcher()


TEXTS = ["", "Hello", "a < b <c> {x} </call> <cal", "Größe 日本 🎉\n\n"]


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_free_where_calls_may_come(text: str) -> None:
    assert matches(grammar(calls=calls()), text)


@pytest.mark.parametrize("text", TEXTS)
def test_calls_may_follow_text(text: str) -> None:
    assert matches(grammar(calls=calls()), text + WEATHER)
    assert matches(grammar(calls=calls()), f"{text}\n{WEATHER}\n{DOUBLE}{WEATHER}")


def test_text_cannot_have_the_beginning_of_a_call_in_it() -> None:
    for text in ("<call>", "see <call> there", f"{WEATHER} and so", WEATHER + "<call>"):
        assert not matches(grammar(calls=calls()), text)


def test_calls_that_are_asked_for_come_without_text() -> None:
    required = grammar(text=False, calls=calls())
    assert matches(required, WEATHER)
    assert matches(required, f"\n\n{WEATHER}\n{DOUBLE}")
    for text in ("", "Hello", f"Hello {WEATHER}"):
        assert not matches(required, text)


def test_one_call_may_be_the_most() -> None:
    single = grammar(calls=calls(several=False))
    assert matches(single, f"Well. {WEATHER}")
    assert not matches(single, WEATHER + DOUBLE)
    assert not matches(single, f"{WEATHER}\n{DOUBLE}")


@pytest.mark.parametrize(
    "wrong",
    [
        WEATHER.replace("weather", "weathers"),
        WEATHER.replace("city", "town"),
        WEATHER.replace('"Rome"', "1"),
        WEATHER.replace("}}", "}"),
        DOUBLE.replace("21", '"x"'),
        DOUBLE.replace("double", "weather"),
    ],
)
def test_each_name_goes_with_arguments_of_its_own(wrong: str) -> None:
    assert not matches(grammar(calls=calls()), wrong)


@pytest.mark.parametrize(
    "call",
    [
        '<call>{"name":"double","arguments":{"n":1}}</call>',
        '<call>\n{"name" : "double" , "arguments" : { "n": 1 } }\n</call>',
    ],
)
def test_white_space_is_free_in_json(call: str) -> None:
    assert matches(grammar(calls=calls()), call)


def test_white_space_has_an_end() -> None:
    assert not feed(grammar(calls=calls()).matcher(), "<call>" + " " * 100)


def test_bare_json_is_a_call_only_at_the_start() -> None:
    bare = grammar(calls=bare_calls())
    assert matches(bare, ' {"name":"double",{"n": 2}}')
    assert matches(bare, 'Not {"name":"x')
    assert matches(bare, '{"nam')
    assert matches(bare, '{"title":"x"}')
    assert not matches(bare, '{"name":"x"}')
    assert not matches(bare, '{"name":"double",{"n": 2}} and so')
    assert not matches(grammar(text=False, calls=bare_calls()), '{"title":"x"}')


def test_thoughts_come_first_and_may_speak_of_calls() -> None:
    thinking = grammar(thoughts=THOUGHTS, calls=calls())
    assert matches(thinking, "<think>\na <call> maybe\n</think>\n\nSo: " + WEATHER)
    assert matches(thinking, "\n<think></think>")
    assert matches(thinking, "No thoughts. " + WEATHER)
    assert matches(thinking, "<think>on and on <call>")
    assert not matches(thinking, "<think>a</think><call> b")
    assert not matches(thinking, "a</think><call> b")


def test_calls_that_are_asked_for_may_come_after_thoughts() -> None:
    thinking = grammar(thoughts=THOUGHTS, text=False, calls=calls())
    assert matches(thinking, f"<think>a <call></think>\n\n{WEATHER}")
    assert matches(thinking, WEATHER)
    assert not matches(thinking, "<think>a")
    assert not matches(thinking, "<think>a</think> Hello")


def test_thoughts_that_the_prompt_has_opened_only_end() -> None:
    thinking = grammar(thoughts=OPEN_THOUGHTS, text=False, calls=calls())
    assert matches(thinking, f"I <call> it</think>\n{WEATHER}")
    assert not matches(thinking, WEATHER)
    assert matches(grammar(thoughts=OPEN_THOUGHTS, calls=calls()), "I <call> it</think>\nYes.")


def test_json_may_come_after_thoughts() -> None:
    thinking = grammar(thoughts=THOUGHTS, text=False, json=1)
    assert matches(thinking, '<think>\nwell {"n": }\n</think>\n\n{"n": 1}')
    assert matches(thinking, '{"n": 1}')
    assert not matches(thinking, '<think></think>{"n": "x"}')
    assert not matches(thinking, '<think></think>{"n": 1} or so')
    assert not matches(thinking, "<think>")
    after_open = grammar(thoughts=OPEN_THOUGHTS, text=False, json=1)
    assert matches(after_open, 'well</think>{"n": 1}')
    assert not matches(after_open, '{"n": 1}')


def test_tags_may_be_special_tokens_or_spelled_out() -> None:
    for tags in ((THINK, UNTHINK, CALL), (THINK, "</think>", "<call>"), ("<think>", UNTHINK, CALL)):
        start, end, call = tags
        matcher = with_tokens(thoughts=THOUGHTS, calls=calls())
        for part in (start, "a <call> is next", end, "\n\nHere: ", call, DOUBLE.removeprefix("<call>"), call):
            if isinstance(part, str):
                assert feed(matcher, part)
            else:
                assert matcher.allows(part)
                matcher.accept(part)
        assert not matcher.may_end
        assert feed(matcher, DOUBLE.removeprefix("<call>"))
        assert matcher.may_end


def test_special_tokens_come_only_where_they_belong() -> None:
    matcher = with_tokens(calls=calls())
    assert feed(matcher, "Hello")
    assert not matcher.allows(THINK)
    assert matcher.allows(CALL)
    matcher.accept(CALL)
    assert not matcher.allows(CALL)
    assert not feed(matcher, " Hello")


def test_a_token_that_ends_the_generation_is_no_part_of_a_call() -> None:
    matcher = with_tokens(calls=calls() | {"end": ["<end>"]}, text=False)
    assert feed(matcher, WEATHER)
    assert not matcher.allows(END)
    assert feed(matcher, "<end>")
    assert matcher.allows(END)


def test_a_pattern_is_matched() -> None:
    first = [['{"id": "', {"pattern": "[a-z]{3}"}, '"}']]
    with_id = grammar(calls={"trigger": ["<call>"], "only_at_start": False, "first": first, "later": [], "end": []})
    assert matches(with_id, '<call>{"id": "abc"}')
    assert not matches(with_id, '<call>{"id": "ab"}')


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ('{"type":"object","not":{}}', 'the keyword "not" of the schema, at #, is not supported'),
        ('{"type":"object","properties":{"a":false},"required":["a"]}', "nothing can satisfy the schema: "),
    ],
)
def test_an_error_of_a_schema_says_whose_it_is(schema: str, message: str) -> None:
    with pytest.raises(GrammarError) as caught:
        grammar(calls=calls(), schemas=[SCHEMAS[0], ['the parameters of the tool "double"', schema]])
    assert str(caught.value).startswith(f'the parameters of the tool "double": {message}')
