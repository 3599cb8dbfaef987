"""Drafts for the slots of a step, as far as they pay."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from slots.requests.slot import Slot
from slots.speculation.cost_model import StepTimeModel, decode_passes
from slots.speculation.draft_budget import DraftBudget
from slots.speculation.draft_selection import DraftCandidate, DraftCosts, DraftSelection, min_cost, select_drafts
from slots.speculation.drafter import Drafter

_MIN_COST_STEPS = 32
"""Steps for which the least that a draft can cost is taken for the same."""

Drafts = Mapping[int, Sequence[int]]
"""By the number of a slot."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """The slots of a step that only generates."""

    slots: Sequence[Slot]
    fillers: Sequence[Slot]
    plain: Mapping[int, int]
    """The tokens of each without drafts, by its number."""
    passes: Sequence[int]
    """That it is computed in then."""


_NO_LAYOUT = _Layout((), (), {}, ())


class DraftScheduler:
    """Keeps each slot's purse. Belongs to the engine's thread."""

    def __init__(self, drafter: Drafter, n_slots: int, max_draft_batch: int, *, is_unified: bool) -> None:
        """`n_together` is most tokens of a step with drafts."""
        self._drafter = drafter
        self._max_draft_batch = max_draft_batch
        self._is_unified = is_unified
        self._budgets = [DraftBudget() for _ in range(n_slots)]
        self._min_costs: dict[int, tuple[float, int]] = {}
        """By the number of slots, the seconds that each pays at least, and the step until which that is taken for
        true. For who has less there is no use in looking for a draft."""
        self._step_times = StepTimeModel()
        self._layout = _NO_LAYOUT
        self._drafts: Drafts = {}
        self._plain_seconds = 0.0
        self._n_steps = 0
        self._drafted_before = False

    def propose(self, slots: Sequence[Slot], fillers: Sequence[Slot], n_free: int | None) -> Drafts:
        """Drafts for a step in which nothing is computed but the next tokens of these slots, and tokens for nothing in
        those `between`. `n_free` is how many cells of a pool are left; None where each slot has its own.

        What comes of them is told to `settle`, unless the step fails.
        """
        if slots != self._layout.slots or fillers != self._layout.fillers:
            plain = {slot.slot_id: 1 for slot in slots}
            filled = plain | {slot.slot_id: 1 for slot in fillers}
            self._layout = _Layout(slots, fillers, plain, decode_passes(filled, is_unified=self._is_unified))
        self._observe(slots)
        self._n_steps += 1
        self._plain_seconds = seconds = self._step_times.estimate(self._layout.passes)
        room = self._max_draft_batch if n_free is None else min(self._max_draft_batch, n_free)
        offers = self._candidates(room // len(slots) - 1, seconds / len(slots))
        self._drafts = self._draft(offers, seconds) if offers else {}
        return self._drafts

    def skip_step(self, slots: Sequence[Slot]) -> None:
        """Propose nothing for a step that does more than that, for these slots."""
        self._observe(slots)
        self._layout, self._drafts = _NO_LAYOUT, {}

    def record_step(self, seconds: float, n_accepted: Mapping[int, int]) -> None:
        """Take in how long the latest step took, and how many drafted tokens of each slot were right. There is nothing
        to learn from one that was passed over."""
        drafts, layout = self._drafts, self._layout
        if not layout.slots:
            return
        saved = self._plain_seconds / len(layout.slots)
        if drafts:
            self._record_drafts(seconds, n_accepted)
        elif self._drafted_before:
            self._step_times.learn_switch_cost(layout.passes, seconds)
        else:
            self._step_times.learn(layout.passes, seconds)
        self._drafted_before = bool(drafts)
        for slot in layout.slots:
            self._budgets[slot.slot_id].accrue(saved)

    def close(self) -> None:
        """Free what the drafter needs."""
        self._drafter.close()

    def _observe(self, slots: Sequence[Slot]) -> None:
        if not self._drafter.is_cheap:
            self._drafter.observe([slot for slot in slots if slot.state and slot.state.request.n_draft != 0])

    def _candidates(self, room: int, seconds_per_token: float) -> list[DraftCandidate]:
        offers = []
        least = self._min_cost(seconds_per_token)
        for slot in self._layout.slots:
            purse = self._budgets[slot.slot_id]
            if slot.state and purse.seconds_left >= least and self._drafter.can_draft(slot):
                purse.start_request(slot.state.request_id, seconds_per_token)
                most = min(max_draft_tokens(slot), room, purse.max_length, self._drafter.n_max)
                if most > 0:
                    offers.append(DraftCandidate(slot, purse, most))
        return offers

    def _min_cost(self, seconds_per_token: float) -> float:
        slots = self._layout.slots
        least, until = self._min_costs.get(len(slots), (inf, 0))
        if self._n_steps >= until:
            reach = max(self._budgets[slot.slot_id].max_length for slot in slots)
            prices = self._costs(seconds_per_token * len(slots), self._drafter.seconds_per_token)
            least = min_cost(prices, min(reach, self._drafter.n_max))
            self._min_costs[len(slots)] = (least, self._n_steps + _MIN_COST_STEPS)
        return least

    def _draft(self, offers: Sequence[DraftCandidate], seconds: float) -> Drafts:
        """The drafts that the slots can pay for. The time that it takes to find them is paid, too."""
        started = time.perf_counter()
        asked = self._slots_to_draft(offers, seconds)
        drafts = self._run_drafter(asked)
        found = [
            DraftCandidate(o.slot, o.budget, len(drafts[o.slot.slot_id]))
            for o in asked.candidates
            if drafts[o.slot.slot_id]
        ]
        chosen = select_drafts(found, self._costs(seconds))
        spent = time.perf_counter() - started
        for offer in offers:
            offer.budget.spend(spent / len(offers))
        return {o.slot.slot_id: drafts[o.slot.slot_id][: chosen.n_tokens] for o in chosen.candidates}

    def _slots_to_draft(self, offers: Sequence[DraftCandidate], seconds: float) -> DraftSelection:
        """Those of which drafts are made, all of them where that costs nothing."""
        if self._drafter.is_cheap:
            return DraftSelection(offers, max(offer.max_tokens for offer in offers))
        return select_drafts(offers, self._costs(seconds, self._drafter.seconds_per_token))

    def _run_drafter(self, asked: DraftSelection) -> dict[int, list[int]]:
        if not asked.candidates:
            return {}
        drafts = self._drafter.draft([offer.slot for offer in asked.candidates], asked.n_tokens)
        return {offer.slot.slot_id: draft for offer, draft in zip(asked.candidates, drafts, strict=True)}

    def _costs(self, seconds: float, drafting: float = 0.0) -> DraftCosts:
        layout = self._layout
        return DraftCosts(
            self._step_times, self._is_unified, layout.plain, seconds, seconds / len(layout.slots), drafting
        )

    def _record_drafts(self, seconds: float, n_accepted: Mapping[int, int]) -> None:
        layout = self._layout
        prices = self._costs(self._step_times.estimate(layout.passes))
        drafted = {slot_id: len(draft) for slot_id, draft in self._drafts.items()}
        tokens = {sequence: n + drafted.get(sequence, 0) for sequence, n in layout.plain.items()}
        self._step_times.learn(decode_passes(tokens, is_unified=self._is_unified), seconds)
        price = prices.step_cost(drafted) / sum(drafted.values())
        for slot_id, n_drafted in drafted.items():
            self._budgets[slot_id].spend(price * n_drafted)
            self._budgets[slot_id].record(n_drafted, n_accepted[slot_id], prices.seconds_saved)


def max_draft_tokens(slot: Slot) -> int:
    """How many tokens of a slot's draft could be of use: until its request's limits, and the end of its context."""
    work = slot.state
    if work is None:
        return 0
    limits = [slot.n_ctx - len(slot.cached) - 1]
    if work.request.n_predict >= 0:
        limits.append(work.request.n_predict - work.n_decoded - 1)
    if work.request.n_draft >= 0:
        limits.append(work.request.n_draft)
    return max(min(limits), 0)
