"""How long steps take, learned from those that were taken. Pure: seconds come from outside."""

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence

_WEIGHT = 0.25
"""Of the latest step in an estimate."""

_MOST_SURPRISING = 2.0
"""A step that takes longer than this many times the estimate was interrupted: it counts as so many."""

_BEYOND = 0.5
"""Of what a token costs in the largest pass that was seen, what each further one is expected to: rather too little,
since what is expected to be dear is not tried, and so not found out."""

_LEAST_SHARE = 0.5
"""Of an even share of a step, what a new pass of it takes at least: each goes through the weights. What is known of the
other passes may be more than the step took, and what takes nothing would stay so, and never be too dear."""

_WORTH_NOTHING = 4096
"""Steps after which an estimate is not held against a draft any more. One that is too low is found out when it is used;
one that is too high would keep itself from being used."""


def passes(n_tokens: Mapping[int, int], *, is_pool: bool) -> tuple[int, ...]:
    """How many tokens llama.cpp computes in each pass through the weights; `n_tokens` are those of each sequence, by
    its number.

    Where sequences have streams of their own, a pass takes equally many tokens of sequences whose numbers follow each
    other; what is left of those that have more takes another one.
    """
    if is_pool:
        return (sum(n_tokens.values()),)
    left = sorted(n_tokens.items())
    found = []
    while left:
        n_run = next((n for n in range(1, len(left)) if left[n][0] != left[n - 1][0] + 1), len(left))
        n_each = min(n for _sequence, n in left[:n_run])
        found.append(n_run * n_each)
        left = [(sequence, n - n_each) for sequence, n in left[:n_run] if n > n_each] + left[n_run:]
    return tuple(found)


class StepTimes:
    """Estimates of seconds, by the passes of a step."""

    def __init__(self) -> None:
        self.to_resume = 0.0
        """Seconds that a step without drafts takes longer after one with them: llama.cpp plans steps of another shape
        anew."""
        self._numbers: list[int] = []
        """Of tokens in a pass that were seen, ascending."""
        self._known: dict[int, tuple[float, int]] = {}
        """By such a number, the seconds, and the step that they were last learned from."""
        self._n_steps = 0

    def of(self, step: Sequence[int]) -> float:
        """How long a step of these passes takes."""
        return sum(map(self._of_pass, step))

    def learn(self, step: Sequence[int], seconds: float) -> None:
        """Take in how long a step of these passes took."""
        self._n_steps += 1
        new = [n_tokens for n_tokens in step if n_tokens not in self._known]
        if new:
            known = self.of([n_tokens for n_tokens in step if n_tokens in self._known])
            of_each = max((seconds - known) / len(new), _LEAST_SHARE * seconds / len(step))
            for n_tokens in set(new):
                insort(self._numbers, n_tokens)
                self._known[n_tokens] = (of_each, self._n_steps)
            return
        before = sum(self._known[n_tokens][0] for n_tokens in step)
        change = _WEIGHT * (min(seconds / before, _MOST_SURPRISING) - 1) if before else 0.0
        for n_tokens in set(step):
            self._known[n_tokens] = ((1 + change) * self._known[n_tokens][0], self._n_steps)

    def learn_to_resume(self, step: Sequence[int], seconds: float) -> None:
        """Take in how long a step without drafts took that came after one with them."""
        longer = min(max(seconds - self.of(step), 0.0), self.of(step))
        self.to_resume += _WEIGHT * (longer - self.to_resume)

    def _of_pass(self, n_tokens: int) -> float:
        """What is not known lies on the line between the nearest ones, or beyond them."""
        numbers = self._numbers
        if n_tokens in self._known:
            return self._aged(n_tokens)
        if not numbers:
            return 0.0
        place = bisect_left(numbers, n_tokens)
        if 0 < place < len(numbers):
            low, high = numbers[place - 1 : place + 1]
            share = (n_tokens - low) / (high - low)
            return (1 - share) * self._aged(low) + share * self._aged(high)
        nearest = numbers[0] if place == 0 else numbers[-1]
        return self._aged(nearest) * (1 + _BEYOND * (n_tokens / nearest - 1))

    def _aged(self, n_tokens: int) -> float:
        seconds, learned = self._known[n_tokens]
        return seconds * max(1 - (self._n_steps - learned) / _WORTH_NOTHING, 0.0)
