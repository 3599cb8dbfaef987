"""How long steps take, learned from those that were taken. Pure: seconds come from outside."""

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence

_WEIGHT = 0.25
"""Of the latest step in an estimate."""

_MAX_OUTLIER = 2.0
"""A step that takes longer than this many times the estimate was interrupted: it counts as so many."""

_EXTRAPOLATION_SLOPE = 0.5
"""Of what a token costs in the largest pass that was seen, what each further one is expected to: rather too little,
since what is expected to be dear is not tried, and so not found out."""

_MIN_SHARE = 0.5
"""Of an even share of a step, what a new pass of it takes at least: each goes through the weights. What is known of the
other passes may be more than the step took, and what takes nothing would stay so, and never be too dear."""

_EXPIRY_STEPS = 4096
"""Steps after which an estimate is not held against a draft any more. One that is too low is found out when it is used;
one that is too high would keep itself from being used."""


def decode_passes(n_tokens: Mapping[int, int], *, is_unified: bool) -> tuple[int, ...]:
    """How many tokens llama.cpp computes in each pass through the weights; `n_tokens` are those of each sequence, by
    its number.

    Where sequences have streams of their own, a pass takes equally many tokens of sequences whose numbers follow each
    other; what is left of those that have more takes another one.
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
    """Estimates of seconds, by the passes of a step."""

    def __init__(self) -> None:
        self.switch_seconds = 0.0
        """Seconds that a step without drafts takes longer after one with them: llama.cpp plans steps of another shape
        anew."""
        self._sizes: list[int] = []
        """Of tokens in a pass that were seen, ascending."""
        self._samples: dict[int, tuple[float, int]] = {}
        """By such a number, the seconds, and the step that they were last learned from."""
        self._n_steps = 0

    def estimate(self, step: Sequence[int]) -> float:
        """How long a step of these passes takes."""
        return sum(map(self._estimate_pass, step))

    def learn(self, step: Sequence[int], seconds: float) -> None:
        """Take in how long a step of these passes took."""
        self._n_steps += 1
        new = [n_tokens for n_tokens in step if n_tokens not in self._samples]
        if new:
            known = self.estimate([n_tokens for n_tokens in step if n_tokens in self._samples])
            of_each = max((seconds - known) / len(new), _MIN_SHARE * seconds / len(step))
            for n_tokens in set(new):
                insort(self._sizes, n_tokens)
                self._samples[n_tokens] = (of_each, self._n_steps)
            return
        before = sum(self._samples[n_tokens][0] for n_tokens in step)
        change = _WEIGHT * (min(seconds / before, _MAX_OUTLIER) - 1) if before else 0.0
        for n_tokens in set(step):
            self._samples[n_tokens] = ((1 + change) * self._samples[n_tokens][0], self._n_steps)

    def learn_switch_cost(self, step: Sequence[int], seconds: float) -> None:
        """Take in how long a step without drafts took that came after one with them."""
        longer = min(max(seconds - self.estimate(step), 0.0), self.estimate(step))
        self.switch_seconds += _WEIGHT * (longer - self.switch_seconds)

    def _estimate_pass(self, n_tokens: int) -> float:
        """What is not known lies on the line between the nearest ones, or beyond them."""
        numbers = self._sizes
        if n_tokens in self._samples:
            return self._discounted(n_tokens)
        if not numbers:
            return 0.0
        index = bisect_left(numbers, n_tokens)
        if 0 < index < len(numbers):
            low, high = numbers[index - 1 : index + 1]
            share = (n_tokens - low) / (high - low)
            return (1 - share) * self._discounted(low) + share * self._discounted(high)
        nearest = numbers[0] if index == 0 else numbers[-1]
        return self._discounted(nearest) * (1 + _EXTRAPOLATION_SLOPE * (n_tokens / nearest - 1))

    def _discounted(self, n_tokens: int) -> float:
        seconds, learned = self._samples[n_tokens]
        return seconds * max(1 - (self._n_steps - learned) / _EXPIRY_STEPS, 0.0)
