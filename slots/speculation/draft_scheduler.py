"""Draft scheduler: decides which slots draft in a step, and how many tokens."""

import time
from collections.abc import Mapping, Sequence
from math import inf

from slots.requests.draft import Draft
from slots.requests.slot import Slot
from slots.speculation.cost_model import StepTimeModel, decode_passes
from slots.speculation.draft_budget import DraftBudget
from slots.speculation.drafter import Drafter

_MIN_COST_STEPS = 32
"""Steps after which the minimum cost of a draft is computed again."""

Drafts = Mapping[int, Draft]
"""By slot id."""
Lengths = Mapping[int, int]
"""Of drafts, in tokens, by slot id."""


class DraftScheduler:
    """Proposes drafts that the slots' budgets cover. Belongs to the engine's thread."""

    def __init__(self, drafter: Drafter, n_slots: int, max_draft_batch: int, *, is_unified: bool) -> None:
        """A step with drafts has at most `max_draft_batch` tokens."""
        self._drafter = drafter
        self._max_draft_batch = max_draft_batch
        self._is_unified = is_unified
        self._budgets = [DraftBudget() for _ in range(n_slots)]
        self._step_times = StepTimeModel()
        self._min_costs: dict[int, tuple[float, int]] = {}
        """By number of slots: the result of `_min_cost`, and the step until which it is used."""
        self._n_steps = 0
        self._slots: Sequence[Slot] = ()
        self._fillers: Sequence[Slot] = ()
        self._passes: Sequence[int] = ()
        self._plain_seconds = 0.0
        """Estimated time of the current step without drafts."""
        self._drafts: Drafts = {}
        self._drafted_before = False

    def propose(self, slots: Sequence[Slot], fillers: Sequence[Slot], n_free: int | None) -> Drafts:
        """Returns drafts for a step that computes one token for each of `slots`, and a filler token for each of
        `fillers` if there are no drafts. `n_free` is the number of free cells of a unified KV cache, None without one.

        `record_step` has to follow, unless the step fails.
        """
        if slots != self._slots or fillers != self._fillers:
            self._slots, self._fillers = slots, fillers
            tokens = {slot.slot_id: 1 for slot in (*slots, *fillers)}
            self._passes = decode_passes(tokens, is_unified=self._is_unified)
        self._observe(slots)
        self._n_steps += 1
        self._plain_seconds = self._step_times.estimate(self._passes)
        n_tokens = self._max_draft_batch if n_free is None else min(self._max_draft_batch, n_free)
        limits = self._limits(n_tokens // len(slots) - 1)
        self._drafts = self._draft(limits) if limits else {}
        return self._drafts

    def skip_step(self, slots: Sequence[Slot]) -> None:
        """Propose nothing: the step also computes prompts."""
        self._observe(slots)
        self._slots, self._drafts = (), {}

    def record_step(self, seconds: float, n_accepted: Mapping[int, int]) -> None:
        """Take in the duration of the latest step, and how many drafted tokens each slot accepted. A skipped step
        changes nothing."""
        if not self._slots:
            return
        lengths = {slot_id: len(draft) for slot_id, draft in self._drafts.items()}
        if lengths:
            self._step_times.learn(self._drafted_passes(lengths), seconds)
            cost = self._cost(lengths) / sum(lengths.values())
            for slot_id, n_drafted in lengths.items():
                self._budgets[slot_id].spend(cost * n_drafted)
                self._budgets[slot_id].record(n_drafted, n_accepted[slot_id], self._token_seconds)
        elif self._drafted_before:
            self._step_times.learn_switch_cost(self._passes, seconds)
        else:
            self._step_times.learn(self._passes, seconds)
        self._drafted_before = bool(lengths)
        token_seconds = self._token_seconds
        for slot in self._slots:
            self._budgets[slot.slot_id].accrue(token_seconds)

    def close(self) -> None:
        self._drafter.close()

    @property
    def _token_seconds(self) -> float:
        return self._plain_seconds / len(self._slots)

    def _observe(self, slots: Sequence[Slot]) -> None:
        if not self._drafter.is_cheap:
            self._drafter.observe([slot for slot in slots if slot.state and slot.state.request.allows_drafts])

    def _limits(self, n_batch_left: int) -> Lengths:
        """Returns the maximum lengths of the slots that may draft, equal but for the limits of their requests. No draft
        is looked for if the budget covers none, since looking takes time as well."""
        limits = {}
        min_cost = self._min_cost()
        max_length = 0
        for slot in self._slots:
            budget = self._budgets[slot.slot_id]
            allows_drafts = slot.state is not None and slot.state.request.allows_drafts
            if slot.state and allows_drafts and budget.seconds_left >= min_cost and self._drafter.can_draft(slot):
                budget.start_request(slot.state.request_id, self._token_seconds)
                limit = min(max_draft_tokens(slot), n_batch_left, self._drafter.n_max)
                if limit > 0:
                    limits[slot.slot_id] = limit
                    max_length = max(max_length, budget.max_length)
        return {slot_id: min(limit, max_length) for slot_id, limit in limits.items()}

    def _min_cost(self) -> float:
        """Returns the minimum cost to each slot of drafts in all slots that could pay off; infinite if none could."""
        n_slots = len(self._slots)
        cost, until = self._min_costs.get(n_slots, (inf, 0))
        if self._n_steps >= until:
            max_length = max(self._budgets[slot.slot_id].max_length for slot in self._slots)
            costs = {}
            for n_tokens in _powers_of_two(min(max_length, self._drafter.n_max)):
                seconds = self._cost({slot.slot_id: n_tokens for slot in self._slots})
                costs[n_tokens] = (seconds + self._drafter.seconds_per_token * n_tokens) / n_slots
            cost = min((cost for n, cost in costs.items() if cost < n * self._token_seconds), default=inf)
            self._min_costs[n_slots] = (cost, self._n_steps + _MIN_COST_STEPS)
        return cost

    def _draft(self, limits: Lengths) -> Drafts:
        """Find drafts and select those that the budgets cover, which also pay for the time that this takes.

        A draft whose tokens were drawn counts with the length that it was to have: how much of it is used must not
        depend on what was drawn.
        """
        started = time.perf_counter()
        lengths = limits if self._drafter.is_cheap else self._select(limits, self._drafter.seconds_per_token)
        slots = [slot for slot in self._slots if slot.slot_id in lengths]
        n_wanted = max(lengths.values(), default=0)
        found = zip(slots, self._drafter.draft(slots, n_wanted) if slots else [], strict=True)
        drafts = {slot.slot_id: draft.first(limits[slot.slot_id]) for slot, draft in found if draft}
        selected = self._select(
            {i: min(n_wanted, limits[i]) if draft.proposals else len(draft) for i, draft in drafts.items()}
        )
        seconds = time.perf_counter() - started
        for slot_id in limits:
            self._budgets[slot_id].spend(seconds / len(limits))
        return {i: drafts[i].first(n_tokens) for i, n_tokens in selected.items()}

    def _select(self, limits: Lengths, seconds_per_token: float = 0.0) -> Lengths:
        """Returns the lengths with the maximum expected gain. All drafts of a step are cut to the same power of two,
        since llama.cpp computes streams together only up to the length of the shortest.

        A negative expected gain is allowed while the budgets cover the cost, provided that the drafts would pay off if
        every token were accepted. Slots whose budgets do not cover their part are left out.
        """
        while limits:
            gains: list[tuple[float, Lengths]] = []
            left_out = set(limits)
            for n_tokens in _powers_of_two(max(limits.values())):
                lengths = {i: min(n_tokens, limit) for i, limit in limits.items()}
                n_drafted = sum(lengths.values())
                cost = self._cost(lengths) + seconds_per_token * n_tokens
                if cost >= self._token_seconds * n_drafted:
                    continue
                share = cost / n_drafted
                over_budget = {i for i, n in lengths.items() if self._budgets[i].seconds_left < share * n}
                if over_budget:
                    left_out = min(left_out, over_budget, key=len)
                else:
                    n_expected = sum(self._budgets[i].expected_accepted(n) for i, n in lengths.items())
                    gains.append((self._token_seconds * n_expected - cost, lengths))
            if gains:
                return max(gains, key=lambda gain: gain[0])[1]
            limits = {i: limit for i, limit in limits.items() if i not in left_out}
        return {}

    def _cost(self, lengths: Lengths) -> float:
        """Seconds by which drafts of these lengths make the step, and the next one without drafts, longer."""
        seconds = self._step_times.estimate(self._drafted_passes(lengths))
        return max(seconds - self._plain_seconds, 0.0) + self._step_times.switch_seconds

    def _drafted_passes(self, lengths: Lengths) -> tuple[int, ...]:
        tokens = {slot.slot_id: 1 + lengths.get(slot.slot_id, 0) for slot in self._slots}
        return decode_passes(tokens, is_unified=self._is_unified)


def max_draft_tokens(slot: Slot) -> int:
    """How many tokens of a draft a slot could use, by its request's limits and the end of its context."""
    state = slot.state
    if state is None:
        return 0
    limits = [slot.n_ctx - len(slot.cached) - 1]
    if state.request.n_predict >= 0:
        limits.append(state.request.n_predict - state.n_decoded - 1)
    if state.request.n_draft >= 0:
        limits.append(state.request.n_draft)
    return max(min(limits), 0)


def _powers_of_two(maximum: int) -> list[int]:
    return [1 << exponent for exponent in range(maximum.bit_length())]
