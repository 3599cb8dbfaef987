import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.errors import InvalidRequest
from slots.llama import Logits
from slots.sampling.logits.draw import draw
from tests.slots.sampling.factories import chi_square, chi_square_bound, exact_softmax, examples, make_logits, rows
from tests.slots.sampling.llama_cpp.oracle import full_row, listed_row

N_DRAWS = 20_000


class Fixed(np.random.Generator):
    """A generator that always gives the same number."""

    def __init__(self, number: float) -> None:
        super().__init__(np.random.PCG64(0))
        self._number = number

    def random(self, *_args: object, **_options: object) -> float:  # type: ignore[override]
        return self._number


def draw_counts(row: Logits, seed: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """How often each place is drawn, in a fixed number of draws."""
    candidates, random = full_row(row), np.random.default_rng(seed)
    return np.bincount([draw(candidates, random)[0] for _ in range(N_DRAWS)], minlength=row.size)


def test_draws_from_few_candidates_follow_their_probabilities() -> None:
    p = np.array([0.4, 0.25, 0.15, 0.1, 0.07, 0.03])
    candidates, random = listed_row(make_logits(*p)), np.random.default_rng(11)
    counts = np.bincount([draw(candidates, random)[0] for _ in range(N_DRAWS)], minlength=6)
    assert chi_square(counts, p) < chi_square_bound(6)


def test_draws_from_a_long_row_follow_its_probabilities() -> None:
    """Tokens that are neighbours are counted together, 21 groups across the blocks; and those of 21 remainders."""
    size = 5000
    row = np.random.default_rng(size).standard_normal(size).astype(np.float32)
    p, counts = exact_softmax(row), draw_counts(row, 5)
    for group in (np.arange(size) * 21 // size, np.arange(size) % 21):
        assert chi_square(np.bincount(group, counts), np.bincount(group, p)) < chi_square_bound(21)


def test_single_tokens_of_a_long_row_are_drawn_as_often_as_they_are_likely() -> None:
    """14 tokens with most of the probability, at both ends of blocks too."""
    likely = [0, 1, 1022, 1023, 1024, 1025, 1500, 2046, 2047, 2048, 2049, 2050, 2098, 2099]
    row = np.zeros(2100, np.float32)
    row[likely] = 6 + np.linspace(0, 1.5, len(likely))
    counts, p = draw_counts(row, 6), exact_softmax(row)
    grouped = np.append(counts[likely], N_DRAWS - counts[likely].sum())
    assert chi_square(grouped, np.append(p[likely], 1 - p[likely].sum())) < chi_square_bound(len(likely) + 1)


@examples(50)
@given(rows, st.integers(0, 2**32 - 1))
def test_the_drawn_token_is_possible_and_its_probability_right(row: Logits, seed: int) -> None:
    p = exact_softmax(row)
    for candidates in (full_row(row), listed_row(row)):
        random = np.random.default_rng(seed)
        for _ in range(5):
            place, probability = draw(candidates, random)
            assert row[place] > -np.inf
            assert probability == pytest.approx(p[place], rel=1e-4)


@examples(50)
@given(rows, st.sampled_from([0.0, 5e-324, 0.5, 1 - 2**-53]))
def test_the_ends_of_the_unit_interval_give_possible_tokens_too(row: Logits, number: float) -> None:
    for candidates in (full_row(row), listed_row(row)):
        place, probability = draw(candidates, Fixed(number))
        assert row[place] > -np.inf
        assert probability > 0


@pytest.mark.parametrize("size", [3, 2000, 5000])
def test_where_rounding_leaves_no_mass_the_last_possible_token_is_drawn(size: int) -> None:
    row = np.zeros(size, np.float32)
    row[size // 2 :] = -np.inf
    assert draw(full_row(row), Fixed(1 - 2**-53))[0] == size // 2 - 1


@examples(50)
@given(rows, st.floats(0, 1, exclude_max=True))
def test_the_drawn_token_is_the_first_with_enough_mass_up_to_it(row: Logits, number: float) -> None:
    """To within the rounding of 32 bits."""
    mass = exact_softmax(row).cumsum()
    for candidates in (full_row(row), listed_row(row)):
        place, _probability = draw(candidates, Fixed(number))
        assert mass[place] >= number - 2e-6
        assert place == 0 or mass[place - 1] <= number + 2e-6


@pytest.mark.parametrize("size", [1, 5, 5000])
def test_nothing_is_drawn_where_nothing_is_possible(size: int) -> None:
    with pytest.raises(InvalidRequest) as refused:
        draw(full_row(np.full(size, -np.inf, np.float32)), np.random.default_rng(1))
    assert refused.value.field == "logit_bias"
