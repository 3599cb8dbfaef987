"""Drafts that tests can rely on: not only where they pay, and as right or wrong as a test wants them."""

from collections.abc import Mapping, Sequence

from slots.requests.slot import Slot
from slots.speculation import Drafter
from slots.speculation.draft_scheduler import most_drafted


class Foreteller:
    """Drafts from texts that it was told before."""

    is_cheap = True
    seconds_per_token = 0.0

    def __init__(self) -> None:
        self.n_max = 7
        self.texts: list[tuple[int, ...]] = []
        self.wrong_every = 0
        """Each so many tokens of a text one is drafted wrong; 0 drafts all right."""

    def follow(self, slots: Sequence[Slot]) -> None:
        pass

    def may_draft(self, slot: Slot) -> bool:
        return True

    def draft(self, slots: Sequence[Slot], n_tokens: int) -> list[list[int]]:
        return [self._draft(tuple(slot.work.tokens), n_tokens) if slot.work else [] for slot in slots]

    def close(self) -> None:
        pass

    def _draft(self, tokens: tuple[int, ...], n_tokens: int) -> list[int]:
        n = len(tokens)
        known = next((text for text in self.texts if text[:n] == tokens), tokens)
        drafted = range(n, min(n + n_tokens, len(known)))
        return [known[place] if self._is_right(place) else known[place] ^ 1 for place in drafted]

    def _is_right(self, place: int) -> bool:
        return not self.wrong_every or place % self.wrong_every != 0


class AlwaysDrafting:
    """Stands for Drafting: what the drafter has is tried, whatever it costs."""

    def __init__(self, drafter: Drafter, n_slots: int, n_together: int, *, is_pool: bool) -> None:
        self._drafter = drafter
        self._n_together = n_together

    def propose(
        self, slots: Sequence[Slot], between: Sequence[Slot], n_free: int | None
    ) -> Mapping[int, Sequence[int]]:
        self._drafter.follow(slots)
        room = (self._n_together if n_free is None else min(self._n_together, n_free)) // len(slots) - 1
        drafts = {slot.slot_id: self._drafter.draft([slot], self._drafter.n_max)[0] for slot in slots}
        most = {slot.slot_id: min(most_drafted(slot), room) for slot in slots}
        return {slot_id: draft[: most[slot_id]] for slot_id, draft in drafts.items() if draft[: most[slot_id]]}

    def pass_over(self, slots: Sequence[Slot]) -> None:
        self._drafter.follow(slots)

    def settle(self, seconds: float, n_right: Mapping[int, int]) -> None:
        pass

    def close(self) -> None:
        self._drafter.close()
