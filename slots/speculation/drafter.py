"""Drafter: the interface of what proposes draft tokens, and a chain of several."""

from collections.abc import Sequence
from typing import Protocol

from slots.requests.draft import NO_DRAFT, Draft
from slots.requests.slot import Slot


class Drafter(Protocol):
    """Predicts the next tokens of texts. Belongs to the engine's thread."""

    @property
    def n_max(self) -> int:
        """Maximum tokens of a draft."""

    @property
    def is_cheap(self) -> bool:
        """Whether a draft takes microseconds, so that it is made before it is known whether it will be used."""

    @property
    def seconds_per_token(self) -> float:
        """Estimated time to draft one token in all slots together; 0 if cheap."""

    def observe(self, slots: Sequence[Slot]) -> None:
        """Called in each step, unless drafts are cheap, with the busy slots whose requests allow drafts."""

    def can_draft(self, slot: Slot) -> bool:
        """Whether there may be a draft for a slot. Called in nearly each step, so it has to be fast."""

    def draft(self, slots: Sequence[Slot], n_tokens: int) -> list[Draft]:
        """Returns for each slot a draft of at most `n_tokens` tokens, empty if it has none. Whether there is one, and
        how long it is, must not depend on a token that was drawn: else those that are used have another distribution
        than their proposals say."""

    def close(self) -> None:
        """Free its resources."""


class ChainedDrafter:
    """Takes each slot's draft from the first drafter that has one."""

    is_cheap = False

    def __init__(self, drafters: Sequence[Drafter]) -> None:
        self._drafters = drafters

    @property
    def n_max(self) -> int:
        return max(drafter.n_max for drafter in self._drafters)

    @property
    def seconds_per_token(self) -> float:
        return max(drafter.seconds_per_token for drafter in self._drafters)

    def observe(self, slots: Sequence[Slot]) -> None:
        for drafter in self._drafters:
            drafter.observe(slots)

    def can_draft(self, slot: Slot) -> bool:
        return any(drafter.can_draft(slot) for drafter in self._drafters)

    def draft(self, slots: Sequence[Slot], n_tokens: int) -> list[Draft]:
        drafts = {slot.slot_id: NO_DRAFT for slot in slots}
        for drafter in self._drafters:
            without = [slot for slot in slots if not drafts[slot.slot_id]]
            limit = min(n_tokens, drafter.n_max)
            if without and limit:
                drafts.update(zip([s.slot_id for s in without], drafter.draft(without, limit), strict=True))
        return list(drafts.values())

    def close(self) -> None:
        for drafter in self._drafters:
            drafter.close()
