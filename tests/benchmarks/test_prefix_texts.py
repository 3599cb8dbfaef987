"""The comparison of texts with and without the cache."""

from math import inf

import pytest

from benchmarks.harness.client import Answer
from benchmarks.prefix.texts import Agreement, TextComparison, Tolerance, gap_between

PROMPT = [1, 2]
LIMITS = Tolerance(gap=0.25, shift=0.5)


def answer(*tokens: int) -> Answer[list[int]]:
    return Answer(PROMPT, len(tokens), list(tokens), n_evaluated=2, n_generated=len(tokens), arrivals=[0.0])


def no_gap(_prompt: list[int], _one: int, _other: int) -> float:
    pytest.fail("nobody needs to know a gap here")


def test_the_same_tokens_have_no_gap() -> None:
    assert gap_between(answer(3, 4), [3, 4], no_gap) is None


def test_the_gap_is_the_one_behind_what_the_texts_have_in_common() -> None:
    def gap(prompt: list[int], one: int, other: int) -> float:
        return 0.25 if (prompt, one, other) == ([*PROMPT, 3], 4, 9) else 9.0

    assert gap_between(answer(3, 4, 5), [3, 9, 5], gap) == 0.25


@pytest.mark.parametrize(("one", "other"), [((3, 4), [3]), ((3,), [3, 4]), ((), [3])])
def test_a_text_that_is_a_part_of_the_other_is_not_the_same(one: tuple[int, ...], other: list[int]) -> None:
    gap = gap_between(answer(*one), other, no_gap)
    assert gap == inf
    assert Agreement.count([TextComparison(gap, 0.0)], LIMITS) == Agreement(0, 0, 1, largest_gap=0.0, largest_shift=0.0)


def test_texts_that_part_at_a_near_tie_may_be_of_different_lengths() -> None:
    assert gap_between(answer(3, 4, 5), [3, 9], lambda *_: 0.1) == 0.1


def test_texts_that_part_at_a_near_tie_are_counted_on_their_own() -> None:
    answers = [TextComparison(None, 0.0), TextComparison(0.24, 0.1), TextComparison(0.25, 0.1)]
    assert Agreement.count(answers, LIMITS) == Agreement(1, 1, 1, largest_gap=0.25, largest_shift=0.1)


def test_the_same_text_is_different_if_its_first_token_is_as_likely_only_without_the_cache() -> None:
    assert Agreement.count([TextComparison(None, 0.5)], LIMITS).different == 1
