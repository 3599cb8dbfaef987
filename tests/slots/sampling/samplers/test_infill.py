from collections.abc import Callable

import numpy as np
import pytest

from slots.llama import Logits
from slots.sampling.logits.candidates import Candidates
from slots.sampling.samplers.infill import Infill
from tests.slots.sampling.factories import get_tokens, make_logits
from tests.slots.sampling.llama_cpp.oracle import full_row, listed_row

either_way = pytest.mark.parametrize("make", [full_row, listed_row])

Make = Callable[[Logits], Candidates]
PIECES = [b"", b"he", b"hello", b"you", b"x", b"v", b"z", b"w"]
END = 0


def remaining_tokens(make: Make, *probabilities: float, ends: tuple[int, ...] = (END,)) -> list[int]:
    """The tokens that stay, of a text that tokens with PIECES continue."""
    candidates = make(make_logits(*probabilities))
    Infill(ends, END, PIECES.__getitem__)(candidates)
    return sorted(get_tokens(candidates))


@either_way
def test_an_end_that_is_likely_enough_is_all_that_stays(make: Make) -> None:
    """It is where three times its probability times the number of tokens is more than what the others have."""
    assert remaining_tokens(make, 0.1, 0.0, 0.0, 0.6, 0.3) == [0]


@either_way
def test_all_tokens_that_end_the_text_stay_then(make: Make) -> None:
    assert remaining_tokens(make, 0.1, 0.0, 0.0, 0.6, 0.2, 0.1, ends=(0, 5)) == [0, 5]


@either_way
def test_an_unlikely_end_stays_beside_tokens_that_stand_out(make: Make) -> None:
    assert remaining_tokens(make, 0.01, 0.0, 0.0, 0.5, 0.45, 0.04) == [0, 3, 4]


@either_way
def test_tokens_less_likely_than_a_fifth_go(make: Make) -> None:
    assert remaining_tokens(make, 0.001, 0.0, 0.0, 0.62, 0.19, 0.189) == [0, 3]


@either_way
def test_a_token_that_stands_out_less_than_it_would_by_chance_goes(make: Make) -> None:
    """Of two tokens with 0.75 and 0.25 the second has less than a third."""
    assert remaining_tokens(make, 0.001, 0.0, 0.0, 0.7, 0.24, 0.059) == [0, 3]


@either_way
def test_the_end_comes_where_nothing_stands_out(make: Make) -> None:
    assert remaining_tokens(make, 1e-6, 0.15, 0.0, 0.15, 0.15, 0.15, 0.2 - 1e-4, 0.2 - 1e-4) == [0]


@either_way
def test_the_likeliest_token_comes_there_if_no_end_may(make: Make) -> None:
    candidates = make(make_logits(0.0, 0.16, 0.0, 0.16, 0.16, 0.15, 0.19, 0.18))
    Infill((END,), None, PIECES.__getitem__)(candidates)
    assert get_tokens(candidates) == [6]


@either_way
def test_a_token_and_its_beginning_count_together_for_the_likelier_of_the_two(make: Make) -> None:
    assert remaining_tokens(make, 0.001, 0.19, 0.18, 0.5, 0.129) == [0, 1, 3]
    assert remaining_tokens(make, 0.001, 0.18, 0.19, 0.5, 0.129) == [0, 2, 3]


@either_way
def test_a_single_candidate_stays(make: Make) -> None:
    candidates = make(np.array([1.0], np.float32))
    Infill((), 0, lambda _token: b"a")(candidates)
    assert get_tokens(candidates) == [0]


def test_of_a_whole_vocabulary_the_likeliest_512_are_compared() -> None:
    row = np.full(4000, -3.0, np.float32)
    row[3999] = 9.0
    asked: list[int] = []

    def text_of(token: int) -> bytes:
        asked.append(token)
        return b"%d" % token

    candidates = full_row(row)
    Infill((END,), END, text_of)(candidates)
    assert sorted(get_tokens(candidates)) == [END, 3999]
    assert len(set(asked)) == 512


def test_of_a_whole_vocabulary_all_tokens_count_for_how_likely_an_end_is() -> None:
    """As in llama.cpp: 3 times a 3,000th times 2,000 tokens is more than the rest, times 512 it would be less."""
    row = np.full(2_000, -60, np.float32)
    row[[END, 200]] = np.log([1 / 3_000, 1])
    candidates = full_row(row)
    Infill((END,), END, lambda token: b"%d." % token)(candidates)
    assert get_tokens(candidates) == [END]
