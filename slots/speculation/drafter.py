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

    def observe(self, slots: Sequence[Slot]) -> None:
        """Called in each step with the slots that work, and want drafts at some time."""

    def can_draft(self, slot: Slot) -> bool:
        """Whether it may have a guess for a slot. Called in nearly each step, so that it has to be quick."""

    def draft(self, slots: Sequence[Slot], n_tokens: int) -> list[list[int]]:
        """For each slot, at most `n_tokens` tokens that may follow those of its work; none where it has no guess."""

    def close(self) -> None:
        """Free what it needs."""


class ChainedDrafter:
    """Takes each slot's draft from the first drafter that has one."""

    is_cheap = False

    def __init__(self, drafters: Sequence[Drafter]) -> None:
        self._drafters = drafters

    @property
    def n_max(self) -> int:
        """Most tokens of a draft."""
        return max(drafter.n_max for drafter in self._drafters)

    @property
    def seconds_per_token(self) -> float:
        """That the slowest takes."""
        return max(drafter.seconds_per_token for drafter in self._drafters)

    def observe(self, slots: Sequence[Slot]) -> None:
        """Let all of them follow."""
        for drafter in self._drafters:
            drafter.observe(slots)

    def can_draft(self, slot: Slot) -> bool:
        """Whether one of them may have a guess."""
        return any(drafter.can_draft(slot) for drafter in self._drafters)

    def draft(self, slots: Sequence[Slot], n_tokens: int) -> list[list[int]]:
        """A draft for each slot, or none."""
        drafts: dict[int, list[int]] = {slot.slot_id: [] for slot in slots}
        for drafter in self._drafters:
            without = [slot for slot in slots if not drafts[slot.slot_id]]
            limit = min(n_tokens, drafter.n_max)
            if without and limit:
                drafts.update(zip([s.slot_id for s in without], drafter.draft(without, limit), strict=True))
        return list(drafts.values())

    def close(self) -> None:
        """Free what all of them need."""
        for drafter in self._drafters:
            drafter.close()
