from concurrent.futures import ThreadPoolExecutor

import pytest

from grammar.compiler import GrammarCompiler
from grammar.errors import GrammarError
from grammar.source import GrammarSource
from tests.grammar.byte_level import VOCABULARY


def choice(word: str) -> GrammarSource:
    return GrammarSource("choice", f'["{word}"]')


def test_a_grammar_is_compiled_once() -> None:
    compiler = GrammarCompiler(VOCABULARY)
    assert compiler.compile(choice("a")) is compiler.compile(choice("a"))
    assert compiler.compile(choice("a")) is not compiler.compile(choice("b"))


def test_the_same_text_of_another_kind_is_another_grammar() -> None:
    compiler = GrammarCompiler(VOCABULARY)
    assert compiler.compile(GrammarSource("choice", '["a"]')) is not compiler.compile(GrammarSource("regex", '["a"]'))


def test_the_least_recently_used_grammar_is_forgotten_first() -> None:
    compiler = GrammarCompiler(VOCABULARY, max_cached=2)
    a, b = compiler.compile(choice("a")), compiler.compile(choice("b"))
    compiler.compile(choice("a"))
    compiler.compile(choice("c"))
    assert compiler.compile(choice("a")) is a
    assert compiler.compile(choice("b")) is not b


def test_threads_that_ask_for_one_grammar_get_the_same() -> None:
    compiler = GrammarCompiler(VOCABULARY)
    with ThreadPoolExecutor(8) as threads:
        grammars = list(threads.map(lambda _: compiler.compile(GrammarSource("json_schema", "{}")), range(32)))
        assert len(set(grammars)) == 1
        masks = list(threads.map(lambda grammar: grammar.matcher().mask().tobytes(), grammars))
    assert len(set(masks)) == 1


def test_a_grammar_that_is_wrong_is_wrong_each_time() -> None:
    compiler = GrammarCompiler(VOCABULARY, max_cached=1)
    good = compiler.compile(choice("a"))
    for _ in range(2):
        with pytest.raises(GrammarError, match="has no rule 'root'"):
            compiler.compile(GrammarSource("gbnf", ""))
    assert compiler.compile(choice("a")) is good


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(GrammarError, match="a grammar has at most 262144 characters, got 300000"):
        GrammarCompiler(VOCABULARY).compile(GrammarSource("json_schema", " " * 300_000))
