"""Drafts for the slots of a step, as far as they pay."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from slots.requests.slot import Slot
from slots.speculation.cost_model import StepTimes, passes
from slots.speculation.draft_budget import Purse
from slots.speculation.draft_selection import Chosen, Offer, Prices, choose_drafts, least_price
from slots.speculation.drafter import Drafter

_UNTIL_PRICED = 32
"""Steps for which the least that a draft can cost is taken for the same."""

Drafts = Mapping[int, Sequence[int]]
"""By the number of a slot."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """The slots of a step that only generates."""

    slots: Sequence[Slot]
    between: Sequence[Slot]
    plain: Mapping[int, int]
    """The tokens of each without drafts, by its number."""
    passes: Sequence[int]
    """That it is computed in then."""


_NOTHING = _Layout((), (), {}, ())


class Drafting:
    """Keeps each slot's purse. Belongs to the engine's thread."""

    def __init__(self, drafter: Drafter, n_slots: int, n_together: int, *, is_pool: bool) -> None:
        """`n_together` is most tokens of a step with drafts."""
        self._drafter = drafter
        self._n_together = n_together
        self._is_pool = is_pool
        self._purses = [Purse() for _ in range(n_slots)]
        self._least: dict[int, tuple[float, int]] = {}
        """By the number of slots, the seconds that each pays at least, and the step until which that is taken for
        true. For who has less there is no use in looking for a draft."""
        self._times = StepTimes()
        self._layout = _NOTHING
        self._drafts: Drafts = {}
        self._plain_seconds = 0.0
        self._n_steps = 0
        self._drafted_before = False

    def propose(self, slots: Sequence[Slot], between: Sequence[Slot], n_free: int | None) -> Drafts:
        """Drafts for a step in which nothing is computed but the next tokens of these slots, and tokens for nothing in
        those `between`. `n_free` is how many cells of a pool are left; None where each slot has its own.

        What comes of them is told to `settle`, unless the step fails.
        """
        if slots != self._layout.slots or between != self._layout.between:
            plain = {slot.slot_id: 1 for slot in slots}
            filled = plain | {slot.slot_id: 1 for slot in between}
            self._layout = _Layout(slots, between, plain, passes(filled, is_pool=self._is_pool))
        self._follow(slots)
        self._n_steps += 1
        self._plain_seconds = seconds = self._times.of(self._layout.passes)
        room = self._n_together if n_free is None else min(self._n_together, n_free)
        offers = self._offers(room // len(slots) - 1, seconds / len(slots))
        self._drafts = self._draft(offers, seconds) if offers else {}
        return self._drafts

    def pass_over(self, slots: Sequence[Slot]) -> None:
        """Propose nothing for a step that does more than that, for these slots."""
        self._follow(slots)
        self._layout, self._drafts = _NOTHING, {}

    def settle(self, seconds: float, n_right: Mapping[int, int]) -> None:
        """Take in how long the latest step took, and how many drafted tokens of each slot were right. There is nothing
        to learn from one that was passed over."""
        drafts, layout = self._drafts, self._layout
        if not layout.slots:
            return
        saved = self._plain_seconds / len(layout.slots)
        if drafts:
            self._settle_drafts(seconds, n_right)
        elif self._drafted_before:
            self._times.learn_to_resume(layout.passes, seconds)
        else:
            self._times.learn(layout.passes, seconds)
        self._drafted_before = bool(drafts)
        for slot in layout.slots:
            self._purses[slot.slot_id].earn(saved)

    def close(self) -> None:
        """Free what the drafter needs."""
        self._drafter.close()

    def _follow(self, slots: Sequence[Slot]) -> None:
        if not self._drafter.is_cheap:
            self._drafter.follow([slot for slot in slots if slot.work and slot.work.request.n_draft != 0])

    def _offers(self, room: int, seconds_per_token: float) -> list[Offer]:
        offers = []
        least = self._least_price(seconds_per_token)
        for slot in self._layout.slots:
            purse = self._purses[slot.slot_id]
            if slot.work and purse.balance >= least and self._drafter.may_draft(slot):
                purse.begin(slot.work.number, seconds_per_token)
                most = min(most_drafted(slot), room, purse.reach, self._drafter.n_max)
                if most > 0:
                    offers.append(Offer(slot, purse, most))
        return offers

    def _least_price(self, seconds_per_token: float) -> float:
        slots = self._layout.slots
        least, until = self._least.get(len(slots), (inf, 0))
        if self._n_steps >= until:
            reach = max(self._purses[slot.slot_id].reach for slot in slots)
            prices = self._prices(seconds_per_token * len(slots), self._drafter.seconds_per_token)
            least = least_price(prices, min(reach, self._drafter.n_max))
            self._least[len(slots)] = (least, self._n_steps + _UNTIL_PRICED)
        return least

    def _draft(self, offers: Sequence[Offer], seconds: float) -> Drafts:
        """The drafts that the slots can pay for. The time that it takes to find them is paid, too."""
        started = time.perf_counter()
        asked = self._to_ask(offers, seconds)
        drafts = self._ask(asked)
        found = [Offer(o.slot, o.purse, len(drafts[o.slot.slot_id])) for o in asked.offers if drafts[o.slot.slot_id]]
        chosen = choose_drafts(found, self._prices(seconds))
        spent = time.perf_counter() - started
        for offer in offers:
            offer.purse.pay(spent / len(offers))
        return {o.slot.slot_id: drafts[o.slot.slot_id][: chosen.n_tokens] for o in chosen.offers}

    def _to_ask(self, offers: Sequence[Offer], seconds: float) -> Chosen:
        """Those of which drafts are made, all of them where that costs nothing."""
        if self._drafter.is_cheap:
            return Chosen(offers, max(offer.most for offer in offers))
        return choose_drafts(offers, self._prices(seconds, self._drafter.seconds_per_token))

    def _ask(self, asked: Chosen) -> dict[int, list[int]]:
        if not asked.offers:
            return {}
        drafts = self._drafter.draft([offer.slot for offer in asked.offers], asked.n_tokens)
        return {offer.slot.slot_id: draft for offer, draft in zip(asked.offers, drafts, strict=True)}

    def _prices(self, seconds: float, drafting: float = 0.0) -> Prices:
        layout = self._layout
        return Prices(self._times, self._is_pool, layout.plain, seconds, seconds / len(layout.slots), drafting)

    def _settle_drafts(self, seconds: float, n_right: Mapping[int, int]) -> None:
        layout = self._layout
        prices = self._prices(self._times.of(layout.passes))
        drafted = {slot_id: len(draft) for slot_id, draft in self._drafts.items()}
        tokens = {sequence: n + drafted.get(sequence, 0) for sequence, n in layout.plain.items()}
        self._times.learn(passes(tokens, is_pool=self._is_pool), seconds)
        price = prices.of(drafted) / sum(drafted.values())
        for slot_id, n_drafted in drafted.items():
            self._purses[slot_id].pay(price * n_drafted)
            self._purses[slot_id].settle(n_drafted, n_right[slot_id], prices.saved)


def most_drafted(slot: Slot) -> int:
    """How many tokens of a slot's draft could be of use: until its request's limits, and the end of its context."""
    work = slot.work
    if work is None:
        return 0
    limits = [slot.n_ctx - len(slot.cached) - 1]
    if work.request.n_predict >= 0:
        limits.append(work.request.n_predict - work.n_decoded - 1)
    if work.request.n_draft >= 0:
        limits.append(work.request.n_draft)
    return max(min(limits), 0)
