"""Where drafts come from."""

from collections.abc import Sequence
from typing import Protocol

from slots.requests.slot import Slot


class Drafter(Protocol):
    """Guesses how texts go on. Belongs to the engine's thread."""

    @property
    def n_max(self) -> int:
        """Most tokens of a draft."""

    @property
    def is_cheap(self) -> bool:
        """Whether a draft costs next to nothing, so that it need not be known before if it will be used."""

    @property
    def seconds_per_token(self) -> float:
        """About how long a drafted token takes, for all slots together, where it is not cheap."""

    def follow(self, slots: Sequence[Slot]) -> None:
        """Called in each step with the slots that work, and want drafts at some time."""

    def may_draft(self, slot: Slot) -> bool:
        """Whether it may have a guess for a slot. Called in nearly each step, so that it has to be quick."""

    def draft(self, slots: Sequence[Slot], n_tokens: int) -> list[list[int]]:
        """For each slot, at most `n_tokens` tokens that may follow those of its work; none where it has no guess."""

    def close(self) -> None:
        """Free what it needs."""
