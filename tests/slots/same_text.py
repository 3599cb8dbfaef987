"""Compares greedy completions, except for near ties that rounding decides."""

from slots.requests.sampling_params import SamplingParams
from tests.slots.engine_runner import Completion

WITH_RUNNER_UP = SamplingParams(temperature=0.0, repeat_penalty=1.0, ignore_eos=True, n_probs=2)
"""Greedy sampling; each token is reported with the second most likely one."""

_NEAR_TIE = 0.05
"""Difference of log probabilities within which the shape of a batch may decide."""


def assert_same_text(one: Completion, other: Completion) -> None:
    """Two completions are equal up to the first near tie."""
    assert len(one.tokens) == len(other.tokens)
    for mine, theirs in zip(one.tokens, other.tokens, strict=True):
        assert mine.logprobs is not None
        first, second = mine.logprobs.top
        if mine.token != theirs.token:
            assert first.logprob - second.logprob < _NEAR_TIE
            return
