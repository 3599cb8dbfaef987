"""Adapter turns: which adapter set the next step computes, if the requests have different ones. Pure."""

from collections.abc import Iterable

from slots.requests.adapters import AdapterSet

STEPS_PER_TURN = 4
"""Steps that a set has while others wait. llama.cpp plans its graphs again after a switch, which takes 0.2 to 0.3 ms a
layer, about as much as a step of a small model."""

_TOKENS_PER_STEP = 64
"""A step of more tokens counts as several: after a chunk of a prompt a switch costs little in comparison."""


class AdapterTurns:
    """The sets take turns, the one that has waited longest first. While N slots are busy, none waits for longer than
    (N - 1) * STEPS_PER_TURN steps."""

    def __init__(self) -> None:
        self._current: AdapterSet | None = None
        self._n_left = 0
        """Steps of its turn."""
        self._waiting: list[AdapterSet] = []
        """The others that were there when a step was planned last, the next one first."""

    def order(self, sets: Iterable[AdapterSet]) -> list[AdapterSet]:
        """Returns the sets of the busy slots, of which the next step is to compute the first, or the next one of which
        there is something to compute. `sets` may name one several times; the first one has the oldest request."""
        present = list(dict.fromkeys(sets))
        waiting = [known for known in self._waiting if known in present]
        waiting += [new for new in present if new not in waiting and new != self._current]
        self._waiting = waiting
        if self._current not in present or self._current is None:
            return waiting
        return [self._current, *waiting] if self._n_left > 0 else [*waiting, self._current]

    def record(self, adapters: AdapterSet, n_tokens: int) -> None:
        """A step of `n_tokens` tokens with these adapters is planned."""
        if adapters != self._current:
            if self._current is not None:
                self._waiting.append(self._current)  # forgotten when the next step is planned, if no slot has it
            self._waiting = [known for known in self._waiting if known != adapters]
            self._current, self._n_left = adapters, STEPS_PER_TURN
        elif self._n_left <= 0:
            self._n_left = STEPS_PER_TURN  # nobody else had something to compute
        self._n_left -= 1 + n_tokens // _TOKENS_PER_STEP

    @property
    def may_go_on(self) -> bool:
        """Whether the next step may compute the same set without being planned."""
        return self._n_left > 0 or not self._waiting
