import math
from typing import Any

import numpy as np
import pytest

from slots.errors import InvalidRequest
from slots.request import SamplingParams
from slots.sampling import Choice, Sampler

OPEN: dict[str, Any] = {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "repeat_penalty": 1.0, "temperature": 1.0}


def sampler(prompt: tuple[int, ...] = (0,), end_of_generation: tuple[int, ...] = (), **params: Any) -> Sampler:
    return Sampler(
        SamplingParams(**{"repeat_penalty": 1.0, **params}),
        prompt,
        n_ctx=100,
        newline=None,
        end_of_generation=end_of_generation,
    )


def choose(chain: Sampler, *row: float) -> Choice:
    return chain.choose(np.array(row, np.float32))


def test_temperature_zero_takes_the_most_likely_token_and_the_lowest_id_on_ties() -> None:
    assert choose(sampler(temperature=0.0), 1.0, 3.0, 3.0, 2.0).token == 1


def test_top_k_of_one_takes_the_most_likely_token_at_any_temperature() -> None:
    assert choose(sampler(temperature=100.0, top_k=1), 1.0, 3.0, 2.9).token == 1


def test_a_temperature_next_to_zero_is_no_division_by_zero() -> None:
    assert choose(sampler(temperature=1e-300), 1.0, 3.0, 2.9).token == 1


def test_the_same_seed_draws_the_same_tokens() -> None:
    def draws() -> list[int]:
        chain = sampler(**{**OPEN, "seed": 7})
        return [choose(chain, 1.0, 1.0, 1.0, 1.0).token for _ in range(50)]

    assert draws() == draws()


def test_requests_with_one_seed_do_not_share_a_generator() -> None:
    one, other = sampler(**{**OPEN, "seed": 7}), sampler(**{**OPEN, "seed": 7})
    turns = [(choose(one, 1.0, 1.0, 1.0).token, choose(other, 1.0, 1.0, 1.0).token) for _ in range(20)]
    assert all(a == b for a, b in turns)


def test_a_seed_that_is_left_open_is_drawn_and_told() -> None:
    chain = sampler(**OPEN)
    tokens = [choose(chain, 1.0, 1.0, 1.0, 1.0).token for _ in range(30)]
    again = sampler(**{**OPEN, "seed": chain.seed})
    assert [choose(again, 1.0, 1.0, 1.0, 1.0).token for _ in range(30)] == tokens


def test_draws_follow_the_distribution() -> None:
    """Chi-square over 20,000 draws with a fixed seed; 5 degrees of freedom, 99.9% quantile 20.5."""
    expected = np.array([0.4, 0.25, 0.15, 0.1, 0.07, 0.03])
    row = np.log(expected).astype(np.float32)
    chain = sampler(**{**OPEN, "seed": 11})
    counts = np.bincount([chain.choose(row.copy()).token for _ in range(20_000)], minlength=6)
    chi_square = ((counts - 20_000 * expected) ** 2 / (20_000 * expected)).sum()
    assert chi_square < 20.5


def test_temperature_flattens_after_the_other_samplers() -> None:
    row = np.log([0.6, 0.3, 0.1]).astype(np.float32)
    chain = sampler(**{**OPEN, "seed": 3, "top_p": 0.8, "temperature": 1000.0})
    counts = np.bincount([chain.choose(row.copy()).token for _ in range(2000)], minlength=3)
    assert counts[2] == 0
    assert abs(counts[0] - counts[1]) < 200


def test_chosen_tokens_are_penalized_too() -> None:
    chain = sampler(temperature=0.0, repeat_penalty=10.0)
    assert [choose(chain, 0.5, 3.0, 2.0, 1.0).token for _ in range(3)] == [1, 2, 3]


def test_the_end_can_be_ruled_out() -> None:
    chain = sampler(temperature=0.0, ignore_eos=True, end_of_generation=(1,))
    assert choose(chain, 1.0, 9.0, 2.0).token == 2


def test_a_bias_changes_the_choice() -> None:
    assert choose(sampler(temperature=0.0, logit_bias=((0, 5.0),)), 1.0, 3.0).token == 0


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_ruling_out_every_token_is_an_error_that_names_the_field(temperature: float) -> None:
    chain = sampler(temperature=temperature, logit_bias=((0, -math.inf), (1, -math.inf)))
    with pytest.raises(InvalidRequest) as refused:
        choose(chain, 1.0, 2.0)
    assert refused.value.field == "logit_bias"


def test_probabilities_are_those_of_the_model_before_any_sampler() -> None:
    chain = sampler(temperature=0.0, n_probs=2, logit_bias=((0, 50.0),), repeat_penalty=3.0)
    choice = chain.choose(np.log([0.2, 0.7, 0.1]).astype(np.float32))
    assert choice.token == 0
    assert choice.probabilities is not None
    assert choice.probabilities.chosen.logprob == pytest.approx(math.log(0.2), abs=1e-5)
    assert [candidate.token for candidate in choice.probabilities.top] == [1, 0]
    assert choice.probabilities.top[0].logprob == pytest.approx(math.log(0.7), abs=1e-5)


def test_probabilities_are_left_out_unless_asked_for() -> None:
    assert choose(sampler(temperature=0.0), 1.0, 2.0).probabilities is None
