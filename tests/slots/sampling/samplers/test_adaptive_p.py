from collections.abc import Callable

import numpy as np
import pytest

from slots.llama import Logits
from slots.requests.sampling_params import SamplerName
from slots.sampling.logits.candidates import Candidates
from slots.sampling.samplers.adaptive_p import AdaptiveP
from tests.slots.sampling.factories import exact_softmax, get_tokens, make_logits, make_sampler, sample_tokens
from tests.slots.sampling.llama_cpp.oracle import full_row, listed_row

either_way = pytest.mark.parametrize("make", [full_row, listed_row])

Make = Callable[[Logits], Candidates]
ROW = make_logits(0.5, 0.3, 0.15, 0.05)


@either_way
@pytest.mark.parametrize(("target", "nearest"), [(0.9, 0), (0.5, 0), (0.3, 1), (0.15, 2), (0.0, 3)])
def test_the_token_nearest_to_the_target_becomes_the_most_likely(make: Make, target: float, nearest: int) -> None:
    candidates = make(ROW)
    AdaptiveP(target, 0.9)(candidates)
    assert int(candidates.logits.argmax()) == nearest


@either_way
def test_no_token_is_taken_away_and_what_is_ruled_out_stays_so(make: Make) -> None:
    candidates = make(np.array([1.0, -np.inf, 2.0], np.float32))
    AdaptiveP(0.5, 0.9)(candidates)
    assert get_tokens(candidates) == [0, 1, 2]
    assert (candidates.logits > -np.inf).tolist() == [True, False, True]


@either_way
def test_after_likely_tokens_the_target_is_lower_and_after_unlikely_ones_higher(make: Make) -> None:
    for place, nearest in [(0, 3), (3, 0)]:
        adaptive = AdaptiveP(0.25, 0.5)
        for _ in range(20):
            adaptive(make(ROW))
            adaptive.observe(place, 1.0)
        candidates = make(ROW)
        adaptive(candidates)
        assert int(candidates.logits.argmax()) == nearest


def test_with_no_decay_only_the_last_token_counts() -> None:
    adaptive = AdaptiveP(0.3, 0.0)
    for place in (3, 3, 3, 1):
        adaptive(listed_row(ROW))
        adaptive.observe(place, 1.0)
    candidates = listed_row(ROW)
    adaptive(candidates)  # the target is 2 * 0.3 - 0.3 again
    assert int(candidates.logits.argmax()) == 1


@pytest.mark.parametrize("target", [0.15, 0.25, 0.35])
def test_the_chosen_tokens_have_the_target_as_their_mean_probability(target: float) -> None:
    """Of 3,000 tokens drawn with a fixed seed by a sampler that has it anywhere in its order."""
    row = make_logits(0.4, 0.3, 0.15, 0.1, 0.05)
    order = (SamplerName.ADAPTIVE_P, SamplerName.TEMPERATURE)
    chain = make_sampler(row.size, samplers=order, temperature=1.0, adaptive_target=target, adaptive_decay=0.9)
    p = exact_softmax(row)[sample_tokens(chain, row, 3000)]
    assert abs(p.mean() - target) < 0.03
