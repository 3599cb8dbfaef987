"""Adapter turns: which adapter set the next step computes, if the requests have different ones. Pure: seconds come from
outside."""

from collections.abc import Iterable

from slots.requests.adapters import AdapterSet

MAX_STEPS = 16
"""Steps that a set has at most while others wait."""

_SWITCHES_PER_TURN = 10
"""How many times as long as a switch a turn is: the share of the time that switches take."""


class AdapterTurns:
    """The sets take turns, the one that has waited longest first. After a switch llama.cpp plans its computation again,
    so a turn has several steps, unless these take long. While N slots are busy, no set waits for longer than N - 1
    turns, nor for more than (N - 1) * MAX_STEPS steps."""

    def __init__(self, switch_seconds: float) -> None:
        """`switch_seconds` is how long a switch takes, about."""
        self._turn_seconds = _SWITCHES_PER_TURN * switch_seconds
        self._current: AdapterSet | None = None
        self._n_steps = 0
        self._seconds = 0.0
        self._waiting: list[AdapterSet] = []
        """The others that were there when a step was planned last, the next one first."""

    def order(self, sets: Iterable[AdapterSet]) -> list[AdapterSet]:
        """Returns the sets of the busy slots, of which the next step is to compute the first, or the next one of which
        there is something to compute. `sets` may name one several times; the first one has the oldest request."""
        present = list(dict.fromkeys(sets))
        waiting = [known for known in self._waiting if known in present]
        waiting += [new for new in present if new not in waiting and new != self._current]
        self._waiting = waiting
        if self._current is None or self._current not in present:
            return waiting
        return [*waiting, self._current] if self._is_over else [self._current, *waiting]

    def record_step(self, adapters: AdapterSet) -> None:
        """The next step is one with these adapters."""
        is_switch = adapters != self._current
        if is_switch:
            if self._current is not None:
                self._waiting.append(self._current)  # forgotten when the next step is planned, if no slot has it
            self._waiting = [known for known in self._waiting if known != adapters]
            self._current = adapters
        if is_switch or self._is_over:  # nobody else had something to compute
            self._n_steps, self._seconds = 0, 0.0
        self._n_steps += 1

    def record_time(self, seconds: float) -> None:
        """The latest step took so long."""
        self._seconds += seconds

    @property
    def may_go_on(self) -> bool:
        """Whether the next step may compute the same set without being planned."""
        return not (self._is_over and self._waiting)

    @property
    def _is_over(self) -> bool:
        return self._n_steps >= MAX_STEPS or self._seconds >= self._turn_seconds
