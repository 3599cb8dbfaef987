"""Which tokens the budget of an answer's thoughts allows; each byte is a token here."""

import pytest

from slots.requests.reasoning_budget import ReasoningBudget
from slots.sampling.logits import bitmask
from slots.sampling.matching.budget_matcher import BudgetMatcher

N_VOCAB = 256
END = "</think>"


def matcher(n_tokens: int, text: str = "", *, is_open: bool = True, closing: str = END) -> BudgetMatcher:
    """A matcher that has accepted a text."""
    budget = ReasoningBudget(n_tokens, b"<think>", END.encode(), tuple(closing.encode()), is_open)
    made = BudgetMatcher(budget, None, N_VOCAB, lambda token: bytes([token]))
    for token in text.encode():
        made.accept(token)
    return made


def forced_text(made: BudgetMatcher) -> str:
    """What is allowed next, as long as it is one token; accepts it, too."""
    text = b""
    while made.n_allowed() == 1:
        [token] = bitmask.tokens_in(made.mask()).tolist()
        assert made.allows(token)
        assert not made.allows(token + 1)
        assert not made.may_end
        made.accept(token)
        text += bytes([token])
    assert made.n_allowed() == N_VOCAB == len(bitmask.tokens_in(made.mask()))
    assert made.may_end
    return text.decode()


def test_thoughts_are_ended_after_as_many_tokens_as_the_budget_has() -> None:
    assert forced_text(matcher(5, "four")) == ""
    assert forced_text(matcher(5, "fives")) == END


def test_a_budget_of_nothing_ends_them_at_once() -> None:
    assert forced_text(matcher(0)) == END


def test_they_are_ended_once() -> None:
    made = matcher(3, "abc")
    assert forced_text(made) == END
    for token in b" and a long answer":
        made.accept(token)
    assert forced_text(made) == ""


def test_thoughts_that_end_themselves_are_left_alone() -> None:
    assert forced_text(matcher(20, f"hm{END}an answer, which is longer")) == ""


def test_an_end_that_the_last_token_completes_is_enough() -> None:
    assert forced_text(matcher(len(END), END)) == ""


def test_the_message_comes_before_the_end() -> None:
    assert forced_text(matcher(2, "hm", closing=f" Enough.{END}")) == f" Enough.{END}"


def test_thoughts_begin_with_their_start() -> None:
    assert forced_text(matcher(2, "\n<think>h", is_open=False)) == ""
    assert forced_text(matcher(2, "\n<think>hm", is_open=False)) == END


@pytest.mark.parametrize("text", ["An answer.", "I say <think>, which is a tag", "<thin"])
def test_an_answer_without_thoughts_has_no_budget(text: str) -> None:
    assert forced_text(matcher(0, text, is_open=False)) == ""


def test_the_end_waits_for_the_rest_of_a_character() -> None:
    made = matcher(2, "a")
    first, *rest = "€".encode()
    made.accept(first)
    for token in rest:
        assert forced_text(made) == ""
        made.accept(token)
    assert forced_text(made) == END


def test_the_rest_of_the_closing_is_forced_at_once() -> None:
    made = matcher(1)
    assert made.forced_tokens(100) == []
    made.accept(ord("a"))
    assert made.forced_tokens(100) == list(END.encode())
    assert made.forced_tokens(3) == list(END[:3].encode())
