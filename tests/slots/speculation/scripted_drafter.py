"""Drafts that tests can rely on: proposed whatever they cost, and accepted as often as a test wants."""

from collections.abc import Mapping, Sequence

from slots.requests.draft import NO_DRAFT, Draft
from slots.requests.slot import Slot
from slots.speculation import Drafter
from slots.speculation.draft_scheduler import max_draft_tokens


class ScriptedDrafter:
    """Drafts from given texts."""

    is_cheap = True
    seconds_per_token = 0.0

    def __init__(self) -> None:
        self.n_max = 7
        self.texts: list[tuple[int, ...]] = []
        self.wrong_every = 0
        """One token of this many is drafted wrong; 0: none."""

    def observe(self, slots: Sequence[Slot]) -> None:
        pass

    def can_draft(self, slot: Slot) -> bool:
        return True

    def draft(self, slots: Sequence[Slot], n_tokens: int) -> list[Draft]:
        return [self._draft(tuple(slot.state.tokens), n_tokens) if slot.state else NO_DRAFT for slot in slots]

    def close(self) -> None:
        pass

    def _draft(self, tokens: tuple[int, ...], n_tokens: int) -> Draft:
        n = len(tokens)
        known = next((text for text in self.texts if text[:n] == tokens), tokens)
        drafted = range(n, min(n + n_tokens, len(known)))
        return Draft([known[place] if self._is_right(place) else known[place] ^ 1 for place in drafted])

    def _is_right(self, index: int) -> bool:
        return not self.wrong_every or index % self.wrong_every != 0


class UnlimitedDraftScheduler:
    """Stands for DraftScheduler: proposes whatever the drafter has."""

    def __init__(self, drafter: Drafter, n_slots: int, max_draft_batch: int, *, is_unified: bool) -> None:
        self._drafter = drafter
        self._max_draft_batch = max_draft_batch

    def propose(self, slots: Sequence[Slot], fillers: Sequence[Slot], n_free: int | None) -> Mapping[int, Draft]:
        self._drafter.observe(slots)
        room = (self._max_draft_batch if n_free is None else min(self._max_draft_batch, n_free)) // len(slots) - 1
        drafts = {slot.slot_id: self._drafter.draft([slot], self._drafter.n_max)[0] for slot in slots}
        most = {slot.slot_id: min(max_draft_tokens(slot), room) for slot in slots}
        drafts = {slot_id: draft.first(most[slot_id]) for slot_id, draft in drafts.items()}
        return {slot_id: draft for slot_id, draft in drafts.items() if draft}

    def skip_step(self, slots: Sequence[Slot]) -> None:
        self._drafter.observe(slots)

    def record_step(self, seconds: float, n_accepted: Mapping[int, int]) -> None:
        pass

    def close(self) -> None:
        self._drafter.close()
