import pytest

from grammar.errors import GrammarError
from tests.grammar.byte_level import END, THINK, UNTHINK, compile_grammar

A, B, C = map(ord, "abc")


def accepts(grammar: str, tokens: list[int]) -> bool:
    matcher = compile_grammar(grammar).matcher()
    for token in tokens:
        if not matcher.allows(token):
            return False
        matcher.accept(token)
    return matcher.may_end


@pytest.mark.parametrize("grammar", ['root ::= <think> "a"* </think>', 'root ::= <[257]> "a"* <[258]>'])
def test_a_special_token_comes_where_the_grammar_names_it(grammar: str) -> None:
    assert accepts(grammar, [THINK, A, A, UNTHINK])
    assert not accepts(grammar, [A, UNTHINK])
    assert not accepts(grammar, [*b"<think>"])


def test_no_special_token_comes_where_text_is_asked_for() -> None:
    matcher = compile_grammar("root ::= .*").matcher()
    mask = matcher.mask()
    assert [bool(mask[t >> 5] >> (t & 31) & 1) for t in (A, THINK, UNTHINK, END)] == [True, False, False, True]


def test_a_negated_token_is_any_other_that_is_text() -> None:
    grammar = "root ::= <think> !</think>* </think> .*"
    assert accepts(grammar, [THINK, A, B, UNTHINK, C])
    assert not accepts(grammar, [THINK, THINK])
    assert not accepts("root ::= !<[97]>", [A])
    assert accepts("root ::= !<[97]>", [B])


def test_tokens_that_several_alternatives_name_lead_to_all_of_them() -> None:
    grammar = 'root ::= <[97]> "b" | !<[98]> "c" | <[98]> "a" | !<[97]> "b"'
    assert [tokens for tokens in ([A, B], [A, C], [A, A], [B, A], [B, B], [B, C]) if accepts(grammar, tokens)] == [
        [A, B],
        [A, C],
        [B, A],
        [B, B],
    ]


def test_a_token_named_by_its_text_may_be_an_ordinary_one() -> None:
    assert accepts('root ::= [0-9]+ <[97]> "b"', [*b"12ab"])


def test_a_token_may_come_as_text_where_it_is_not_named() -> None:
    assert accepts('root ::= [a-z]+ "." <[97]> [a-z]+', [*b"ba.aab"])
    assert not accepts('root ::= [a-z]+ "." <[97]> [a-z]+', [*b"ba.baa"])


@pytest.mark.parametrize(
    ("grammar", "column"),
    [('root ::= "ab" | <[97]>', 17), ("root ::= [a-z]+ <[98]>", 17), ('root ::= !<think>* "a"', 10)],
)
def test_a_token_next_to_text_that_begins_like_it_is_refused(grammar: str, column: int) -> None:
    with pytest.raises(GrammarError, match=f"line 1, column {column}: text that begins like this token may come"):
        compile_grammar(grammar)
