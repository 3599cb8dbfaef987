"""Cost model: estimates how long a step takes, from the steps so far. Pure: seconds come from outside."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Mapping, Sequence

_WEIGHT = 0.25
"""Of the latest step in an estimate."""

_MAX_OUTLIER = 2.0
"""A step that takes longer than this many times the estimate was interrupted, and counts as that many times."""

_COMMON_SHARE = 0.75
"""Of a deviation from an estimate that counts for the sizes that were not in the last steps, too: most often the
machine is slower or faster than before, because another program runs or the number of threads is another. Else steps
with drafts, which are rare, would seem to cost nothing when those without become slower."""

_N_RECENT = 4
"""Steps whose sizes have samples as new as the deviation."""

_EXTRAPOLATION_SLOPE = 0.5
"""Cost of a token beyond the largest known pass, relative to one within it. Rather too low: what is estimated as too
expensive is never tried, and so never corrected."""

_MIN_SHARE = 0.5
"""Minimum time of an unknown pass, relative to an even share of its step: each pass reads all weights. The estimates of
the known passes may exceed the step's time, and an estimate of 0 would never be corrected."""

_EXPIRY_STEPS = 4096
"""An estimate decreases linearly to 0 over this many steps without a new sample. One that is too high would otherwise
prevent its own correction."""


def decode_passes(n_tokens: Mapping[int, int], *, is_unified: bool) -> tuple[int, ...]:
    """Returns how many tokens llama.cpp computes in each pass through the weights, from the number of tokens of each
    sequence, by sequence id.

    Without a unified KV cache, a pass takes equally many tokens of sequences with consecutive ids; the rest of the
    longer ones takes further passes.
    """
    if is_unified:
        return (sum(n_tokens.values()),)
    left = sorted(n_tokens.items())
    sizes = []
    while left:
        n_run = next((n for n in range(1, len(left)) if left[n][0] != left[n - 1][0] + 1), len(left))
        n_each = min(n for _sequence, n in left[:n_run])
        sizes.append(n_run * n_each)
        left = [(sequence, n - n_each) for sequence, n in left[:n_run] if n > n_each] + left[n_run:]
    return tuple(sizes)


class StepTimeModel:
    """Estimates the seconds of a step as the sum of its passes, each by its number of tokens."""

    def __init__(self) -> None:
        self.switch_seconds = 0.0
        """By which a step without drafts takes longer after one with drafts: llama.cpp plans its graph again."""
        self._sizes: list[int] = []
        """Of the known passes, in tokens, ascending."""
        self._samples: dict[int, tuple[float, int]] = {}
        """By size: the seconds, divided by `_scale`, and the step of the latest sample."""
        self._scale = 1.0
        self._recent: deque[Sequence[int]] = deque(maxlen=_N_RECENT)
        """The passes of the last steps."""
        self._n_steps = 0

    def estimate(self, passes: Sequence[int]) -> float:
        """Returns the seconds of a step with these passes; 0 before the first sample."""
        return sum(map(self._estimate_pass, passes))

    def learn(self, passes: Sequence[int], seconds: float) -> None:
        """Take in the duration of a step with these passes."""
        self._n_steps += 1
        new = [size for size in passes if size not in self._samples]
        if new:
            known = self.estimate([size for size in passes if size in self._samples])
            seconds_each = max((seconds - known) / len(new), _MIN_SHARE * seconds / len(passes))
            for size in set(new):
                insort(self._sizes, size)
                self._samples[size] = (seconds_each / self._scale, self._n_steps)
            return
        before = self._scale * sum(self._samples[size][0] for size in passes)
        change = _WEIGHT * (min(seconds / before, _MAX_OUTLIER) - 1) if before else 0.0
        common = 1 + _COMMON_SHARE * change
        self._scale *= common
        for size in set(passes):
            self._samples[size] = ((1 + change) / common * self._samples[size][0], self._n_steps)
        self._recent.append(passes)
        if any(recent is not passes for recent in self._recent):
            for size in set().union(*self._recent).difference(passes):
                value, step = self._samples[size]
                self._samples[size] = (value / common, step)

    def learn_switch_cost(self, passes: Sequence[int], seconds: float) -> None:
        """Take in the duration of a step without drafts after one with drafts."""
        estimate = self.estimate(passes)
        extra = min(max(seconds - estimate, 0.0), estimate)
        self.switch_seconds += _WEIGHT * (extra - self.switch_seconds)

    def _estimate_pass(self, size: int) -> float:
        """Interpolates between the nearest known sizes, or extrapolates."""
        sizes = self._sizes
        if size in self._samples:
            return self._discounted(size)
        if not sizes:
            return 0.0
        index = bisect_left(sizes, size)
        if 0 < index < len(sizes):
            low, high = sizes[index - 1 : index + 1]
            share = (size - low) / (high - low)
            return (1 - share) * self._discounted(low) + share * self._discounted(high)
        nearest = sizes[0] if index == 0 else sizes[-1]
        return self._discounted(nearest) * (1 + _EXTRAPOLATION_SLOPE * (size / nearest - 1))

    def _discounted(self, size: int) -> float:
        seconds, step = self._samples[size]
        return self._scale * seconds * max(1 - (self._n_steps - step) / _EXPIRY_STEPS, 0.0)
