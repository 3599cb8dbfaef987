"""Trial: compares two numbers of threads on adjacent steps."""

import math

MIN_BLOCK_SECONDS = 0.015
"""Of steps in a row with one number. Long enough that the system's scheduler, which lets a program run for a few
milliseconds, has interrupted short steps as often as it usually does."""
MIN_GAIN = 0.03
"""By which a number has to be faster, as a share of the time, to be chosen."""

_SECONDS_TO_SEE_A_LOSS = 0.005
_CLEAR_LOSS = 1.2
"""A block ends early if its steps take longer than this many times those before."""
_URGENT_GAIN = 0.1
_EVIDENT_RATIO = 4.0
"""A number is left at once, without a second look, if the other one is faster by this factor."""
_MIN_STEPS_WITHOUT_FIRST = 4
"""From so many steps on the first one, for which threads are woken or made, does not count."""


class Block:
    """Adjacent steps with one number of threads."""

    __slots__ = ("_first_seconds", "_first_work", "_n_steps", "seconds", "work")

    def __init__(self) -> None:
        self.seconds = 0.0
        self.work = 0
        self._first_seconds, self._first_work, self._n_steps = 0.0, 0, 0

    def add(self, seconds: float, work: int) -> None:
        if self._n_steps == 0:
            self._first_seconds, self._first_work = seconds, work
        self.seconds += seconds
        self.work += work
        self._n_steps += 1

    @property
    def is_full(self) -> bool:
        return self.seconds >= MIN_BLOCK_SECONDS

    @property
    def mean(self) -> float:
        """Seconds for a unit of work."""
        if self._n_steps < _MIN_STEPS_WITHOUT_FIRST:
            return self.seconds / self.work
        return (self.seconds - self._first_seconds) / (self.work - self._first_work)


class Trial:
    """Some steps with the candidate. If these are faster than the steps before, some with the current number, and some
    with the candidate again, since something else may have changed in between. An urgent trial, while the current
    number is suddenly slow, ends as soon as the current number was slow once more."""

    def __init__(self, current: int, candidate: int, before: float, *, is_urgent: bool) -> None:
        """`before` is the mean of the latest steps with the current number, in seconds for a unit of work."""
        self.candidate = candidate
        self.is_urgent = is_urgent
        self.is_won: bool | None = None
        """None until it is decided."""
        self._current = current
        self._before = before
        self._blocks = [Block()]
        """Of the candidate, the current number, and the candidate."""

    @property
    def n_threads(self) -> int:
        """Of the next step."""
        return self._current if len(self._blocks) == 2 else self.candidate

    @property
    def candidate_mean(self) -> float:
        return self._blocks[-1 if len(self._blocks) == 3 else 0].mean

    @property
    def current_mean(self) -> float:
        return self._blocks[1].mean if len(self._blocks) > 1 else self._before

    @property
    def excess_seconds(self) -> float:
        """By which the steps with the candidate took longer than they would have with the current number."""
        return max(0.0, sum(block.seconds - self.current_mean * block.work for block in self._blocks[::2]))

    def record(self, seconds: float, work: int) -> None:
        """Take in a step with `n_threads`."""
        block = self._blocks[-1]
        block.add(seconds, work)
        if len(self._blocks) == 1:
            self._record_first(block)
        elif block.is_full and len(self._blocks) == 2:
            if self.is_urgent:
                # One interrupted step alone, or one that was not, decides nothing.
                usual = math.sqrt(self._before * block.mean)
                self.is_won = self._blocks[0].mean < (1 - _URGENT_GAIN) * usual
            else:
                self._blocks.append(Block())
        elif block.is_full:
            self.is_won = block.mean < (1 - MIN_GAIN) * self._blocks[1].mean

    def _record_first(self, block: Block) -> None:
        if block.seconds >= _SECONDS_TO_SEE_A_LOSS and block.mean > _CLEAR_LOSS * self._before:
            self.is_won = False
        elif block.is_full:
            if block.mean >= (1 - (_URGENT_GAIN if self.is_urgent else MIN_GAIN)) * self._before:
                self.is_won = False
            elif self.is_urgent and _EVIDENT_RATIO * block.mean < self._before:
                self.is_won = True
            else:
                self._blocks.append(Block())
