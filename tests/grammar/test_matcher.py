import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grammar.compiler import GrammarCompiler
from grammar.errors import GrammarError
from grammar.matcher import MAX_FORCED_TOKENS, Matcher
from grammar.source import GrammarSource
from grammar.vocabulary import GrammarVocabulary
from tests.grammar.byte_level import END, THINK, VOCABULARY, compile_grammar, feed

JSON = '{"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer"}}, "b": {}}}'


def allowed(matcher: Matcher) -> list[int]:
    bits = np.unpackbits(matcher.mask().view(np.uint8), bitorder="little")
    return [int(token) for token in np.flatnonzero(bits)]


def words(*pieces: str, ends: tuple[int, ...] = ()) -> GrammarCompiler:
    """A compiler for a vocabulary of these pieces."""
    return GrammarCompiler(GrammarVocabulary([piece.encode() for piece in pieces], [], ends))


def gbnf(compiler: GrammarCompiler, text: str) -> Matcher:
    return compiler.compile(GrammarSource("gbnf", text)).matcher()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_the_mask_agrees_with_what_is_allowed_and_accepted(seed: int) -> None:
    rnd = random.Random(seed)
    matcher, other = compile_grammar(JSON, "json_schema").matcher(), compile_grammar(JSON, "json_schema").matcher()
    for _ in range(30):
        tokens = [t for t in range(VOCABULARY.n_tokens) if other.allows(t)]
        assert tokens == allowed(matcher) == [t for t in range(VOCABULARY.n_tokens) if matcher.allows(t)]
        assert (END in tokens) == matcher.may_end
        if tokens == [END]:
            break
        token = rnd.choice([token for token in tokens if token != END])
        matcher.accept(token)
        other.accept(token)


def test_a_mask_is_expensive_only_for_text_of_which_the_last_mask_took_long(monkeypatch: pytest.MonkeyPatch) -> None:
    grammar = compile_grammar('root ::= [a-z]{3} "=" .*')
    for seconds, expected in ((0.0, [False, True, True, False, False]), (9.0, [False] * 5)):
        monkeypatch.setattr("grammar.matcher.SLOW_MASK_SECONDS", seconds)
        monkeypatch.setattr("grammar.matcher.LARGE_MASK_MIN_SHARE", 0.05)
        matcher = grammar.matcher()
        seen = []
        for token in b"ab":
            seen.append(matcher.is_mask_expensive)
            matcher.mask()
            assert not matcher.is_mask_expensive
            matcher.accept(token)
        seen.append(matcher.is_mask_expensive)
        matcher.accept(ord("c"))
        seen.append(matcher.is_mask_expensive)
        assert matcher.forced_tokens() == [ord("=")]
        seen.append(matcher.is_mask_expensive)
        assert seen == expected


def test_an_expensive_mask_is_computed_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grammar.matcher.SLOW_MASK_SECONDS", 0.0)
    matcher = compile_grammar("root ::= .*").matcher()
    seen = []
    for _ in range(40):
        seen.append(matcher.is_mask_expensive)
        if not matcher.is_mask_expensive:
            matcher.mask()
        matcher.accept(ord("x"))
    assert seen == [False, *[True] * 15, False, *[True] * 15, False, *[True] * 7]


def test_the_mask_has_a_bit_for_each_token_and_no_other() -> None:
    matcher = compile_grammar("root ::= .*").matcher()
    assert matcher.mask().dtype == np.uint32
    assert len(matcher.mask()) == -(-VOCABULARY.n_tokens // 32)
    assert max(allowed(matcher)) < VOCABULARY.n_tokens


def test_an_end_is_allowed_exactly_where_the_grammar_may_end() -> None:
    matcher = compile_grammar('root ::= "a" "b"?').matcher()
    assert (matcher.may_end, matcher.is_over, matcher.allows(END)) == (False, False, False)
    matcher.accept(ord("a"))
    assert (matcher.may_end, matcher.is_over, matcher.allows(END)) == (True, False, True)
    matcher.accept(ord("b"))
    assert (matcher.may_end, matcher.is_over, allowed(matcher)) == (True, True, [END])


def test_a_grammar_may_be_over_before_it_begins() -> None:
    assert compile_grammar('root ::= ""').matcher().is_over


@pytest.mark.parametrize("end", [2, 3])
def test_any_end_of_generation_ends_it(end: int) -> None:
    matcher = gbnf(words("a", "b", "", "", ends=(2, 3)), 'root ::= "a"')
    matcher.accept(0)
    assert allowed(matcher) == [2, 3]
    matcher.accept(end)
    assert allowed(matcher) == [2, 3]


@pytest.mark.parametrize("n_tokens", [31, 32, 33])
def test_a_vocabulary_needs_no_end_of_generation(n_tokens: int) -> None:
    matcher = gbnf(words(*(chr(ord("A") + n) for n in range(n_tokens))), 'root ::= "A" "B"?')
    assert len(matcher.mask()) == -(-n_tokens // 32)
    matcher.accept(0)
    assert (matcher.may_end, matcher.is_over, allowed(matcher)) == (True, False, [1])
    matcher.accept(1)
    assert (matcher.may_end, matcher.is_over, allowed(matcher)) == (True, True, [])


def test_a_token_that_does_not_match_is_an_error() -> None:
    matcher = compile_grammar('root ::= "a"').matcher()
    with pytest.raises(GrammarError, match="token 98 does not match the grammar"):
        matcher.accept(98)


def test_a_token_outside_the_vocabulary_is_not_allowed() -> None:
    matcher = compile_grammar("root ::= .*").matcher()
    assert not matcher.allows(-1)
    assert not matcher.allows(VOCABULARY.n_tokens)


def test_matchers_of_one_grammar_do_not_meet() -> None:
    grammar = compile_grammar('root ::= "ab" | "cd"')
    one, other = grammar.matcher(), grammar.matcher()
    one.accept(ord("a"))
    assert allowed(one) == [ord("b")]
    assert allowed(other) == [ord("a"), ord("c")]
    assert allowed(grammar.matcher()) == [ord("a"), ord("c")]


def test_a_token_may_span_several_rules_and_end_within_a_character() -> None:
    compiler = GrammarCompiler(GrammarVocabulary([b'{"a', b'":', b'": \xc3', b"\xa9", b"\xa9}", b"}", b""], [], [6]))
    matcher = gbnf(compiler, 'root ::= "{" key ": " value "}"\nkey ::= "\\"" [a-z]+ "\\""\nvalue ::= [é]')
    for token, following in [(0, [1, 2]), (2, [3, 4]), (4, [6])]:
        matcher.accept(token)
        assert allowed(matcher) == following


def test_tokens_that_print_the_same_are_allowed_together() -> None:
    assert allowed(gbnf(words("a", "a", "b"), 'root ::= "a"')) == [0, 1]


def test_tokens_are_forced_as_far_as_there_is_one_way() -> None:
    matcher = compile_grammar('root ::= "name: " ("x" | "y") "."').matcher()
    assert bytes(matcher.forced_tokens()) == b"name: "
    assert feed(matcher, "name: ")
    assert matcher.forced_tokens() == []
    matcher.accept(ord("x"))
    assert bytes(matcher.forced_tokens()) == b"."


def test_looking_ahead_for_forced_tokens_moves_nothing() -> None:
    matcher = compile_grammar('root ::= "abc"').matcher()
    matcher.forced_tokens()
    assert allowed(matcher) == [ord("a")]
    assert feed(matcher, "abc")


def test_bytes_that_may_be_cut_otherwise_force_no_token() -> None:
    matcher = gbnf(words("a", "b", "ab", "c"), 'root ::= "abc"')
    assert matcher.forced_tokens() == []
    matcher.accept(0)
    assert matcher.forced_tokens() == [1, 3]


def test_nothing_is_forced_where_the_grammar_may_end() -> None:
    matcher = compile_grammar('root ::= "a" ("b" "c")?').matcher()
    assert bytes(matcher.forced_tokens()) == b"a"
    matcher.accept(ord("a"))
    assert matcher.forced_tokens() == []
    matcher.accept(ord("b"))
    assert bytes(matcher.forced_tokens()) == b"c"


def test_special_tokens_can_be_forced() -> None:
    assert compile_grammar("root ::= <think> [a-z]").matcher().forced_tokens() == [THINK]


def test_no_more_tokens_are_forced_than_the_limit() -> None:
    assert len(compile_grammar('root ::= "a"{1000}').matcher().forced_tokens()) == MAX_FORCED_TOKENS
    assert (
        len(compile_grammar('root ::= "a"{1000}').matcher().forced_tokens(MAX_FORCED_TOKENS + 1)) == MAX_FORCED_TOKENS
    )
    assert len(compile_grammar('root ::= "a"{1000}').matcher().forced_tokens(7)) == 7


def test_tokens_before_a_dead_end_are_forced() -> None:
    matcher = gbnf(words("a", "b"), 'root ::= "abc"')
    assert matcher.forced_tokens() == [0, 1]
    matcher.accept(0)
    matcher.accept(1)
    with pytest.raises(GrammarError, match="no token that the grammar could go on with"):
        matcher.forced_tokens()


def test_a_grammar_that_the_vocabulary_cannot_spell_is_refused() -> None:
    with pytest.raises(GrammarError, match="the model has no token that the grammar could go on with"):
        gbnf(words("a", "b"), 'root ::= "c"')


def test_a_text_that_the_vocabulary_cannot_complete_ends_in_an_error() -> None:
    matcher = gbnf(words("a", "b"), 'root ::= "ac"')
    matcher.accept(0)
    with pytest.raises(GrammarError, match="the model has no token that the grammar could go on with"):
        matcher.mask()


def test_a_grammar_that_becomes_too_complex_ends_in_an_error() -> None:
    rnd = random.Random(0)
    compiler = words("-", *{"".join(rnd.choices("abcdefgh", k=12)) for _ in range(3000)})
    halves = " | ".join(f'"{letter}" x "{letter}" | "{letter}" x' for letter in "abcdefgh")
    matcher = gbnf(compiler, f'root ::= "-" x\nx ::= {halves} | "-"')
    matcher.accept(0)
    with pytest.raises(GrammarError, match=r"the grammar is too complex to go on: .*Too many items"):
        matcher.mask()
