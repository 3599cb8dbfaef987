"""Input batch: what a step computes, kept for the next one. As long as the same slots generate, nothing has to be
planned, and only tokens and positions change."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from slots.cache.cell_pool import CellPool
from slots.completion.generation import Generation
from slots.completion.media_rows import media_rows, next_chunk
from slots.llama import Batch, MediaBatch
from slots.requests.adapters import NO_ADAPTERS, AdapterSet
from slots.requests.draft import Draft
from slots.requests.request_state import RequestState
from slots.requests.slot import Slot
from slots.scheduling.kv_cache_manager import KvCacheManager
from slots.scheduling.scheduler import ScheduledSlot


@dataclass(slots=True)
class SampledRow:
    """A slot whose next token is sampled, and the row of logits that it is sampled from."""

    slot: Slot
    generation: Generation
    draft: Draft
    """Tokens that were computed after those of its request; their rows of logits follow."""
    index: int
    n_accepted: int = 0

    def accept_draft(self, cache: KvCacheManager) -> bool:
        """If the tokens sampled since are the next ones of the draft, commit them, move to the row after them, return
        True."""
        tokens = self.slot.uncomputed
        end = self.n_accepted + len(tokens)
        if not tokens or list(self.draft.tokens[self.n_accepted : end]) != tokens:
            return False
        self.n_accepted = end
        self.index += len(tokens)
        cache.commit(self.slot, tokens)
        return True

    def propose(self) -> None:
        """Tell the sampler of the next token of the draft, if that was drawn."""
        if self.n_accepted < len(self.draft.proposals):
            token, proposal = self.draft.tokens[self.n_accepted], self.draft.proposals[self.n_accepted]
            self.generation.sampler.propose(token, proposal)


class InputBatch:
    """The scheduled slots of a step with llama.cpp's batch for them. Engine thread only."""

    def __init__(self, slots: Sequence[Slot], capacity: int, filler_token: int) -> None:
        self.scheduled: list[ScheduledSlot] = []
        """By slot id."""
        self.slots: list[Slot] = []
        """Of `scheduled`."""
        self.fillers: list[Slot] = []
        """Idle slots that compute a token which nobody uses."""
        self.rows: list[SampledRow] = []
        """If the batch can be repeated, one for each of `slots`."""
        self.llama_batch = Batch(capacity)
        self.only_generates = False
        """Whether each of `slots` generates, so that nothing of a prompt is computed."""
        self.media_batch: MediaBatch | None = None
        """What the step computes instead of tokens."""
        self.is_causal = True
        """Whether that attends to what is before it alone."""
        self._all_slots = slots
        self._filler_token = filler_token
        self._can_repeat = False
        self._states: list[RequestState | None] = []
        """Of all slots, when the batch was filled."""
        self._is_filler: list[bool] = []
        self._n_forward: list[int] = []

    def forget(self) -> None:
        """The next step will be planned."""
        self._can_repeat = False

    def is_next(self, cells: CellPool | None) -> bool:
        """Whether the next step can compute one more token for exactly the slots of this batch, and plan nothing."""
        if not self._can_repeat or [slot.state for slot in self._all_slots] != self._states:
            return False
        for slot in self.slots:
            n_tokens = len(slot.state.tokens) if slot.state else 0
            if n_tokens != len(slot.cached) + 1 or n_tokens > slot.n_ctx:
                return False
        return cells is None or cells.n_free >= len(self.slots)

    def fill(
        self, scheduled: list[ScheduledSlot], fillers: list[Slot], generation_of: Callable[[Slot], Generation]
    ) -> None:
        """Fill the batch for a planned step."""
        self.scheduled, self.slots, self.fillers = scheduled, [each.slot for each in scheduled], fillers
        self.media_batch = None
        self.llama_batch.clear()
        by_slot = {each.slot.slot_id: each for each in scheduled}
        in_order = sorted((*self.slots, *fillers), key=lambda slot: slot.slot_id)
        for slot in in_order:
            if each := by_slot.get(slot.slot_id):
                self._add(each, generation_of(slot))
            else:
                self.llama_batch.add(slot.slot_id, slot.next_position, [self._filler_token], last_logits=False)
        self._states = [slot.state for slot in self._all_slots]
        self.only_generates = all(slot.is_generating for slot in self.slots)
        is_plain = self.only_generates and not any(each.draft for each in scheduled)
        self._can_repeat = is_plain and len(scheduled) == self._n_ready()
        self._is_filler = [slot.slot_id not in by_slot for slot in in_order]
        self._n_forward = [int(not is_filler) for is_filler in self._is_filler]

    def _n_ready(self) -> int:
        """How many busy slots have the adapters of this batch."""
        adapters = self.adapters
        return sum(slot.state is not None and slot.adapters == adapters for slot in self._all_slots)

    @property
    def adapters(self) -> AdapterSet:
        """The adapters that all its tokens are computed with."""
        return self.slots[0].adapters if self.slots else NO_ADAPTERS

    def fill_media(self, scheduled: list[ScheduledSlot], generation_of: Callable[[Slot], Generation]) -> None:
        """Fill the batch for a step that computes media. The next one is planned."""
        self.scheduled, self.slots, self.fillers = scheduled, [each.slot for each in scheduled], []
        self._can_repeat = self.only_generates = False
        self.is_causal = next_chunk(scheduled[0])[0].is_causal
        self.media_batch = MediaBatch(
            [media_rows(each, wants_logits=generation_of(each.slot).wants_tokens) for each in scheduled]
        )

    def advance(self) -> list[int]:
        """Make it the batch of the next step: see `is_next`. Returns the tokens of `slots`."""
        tokens = [slot.state.tokens[-1] for slot in self.slots if slot.state]
        in_order = tokens
        if self.fillers:
            rest, filler = iter(tokens), self._filler_token
            in_order = [filler if is_filler else next(rest) for is_filler in self._is_filler]
        self.llama_batch.advance(in_order, self._n_forward)
        return tokens

    def _add(self, scheduled: ScheduledSlot, generation: Generation) -> None:
        slot, batch = scheduled.slot, self.llama_batch
        if scheduled.draft:
            generation.set_draft(scheduled.draft)
            batch.add_all_outputs(slot.slot_id, slot.next_position, [*scheduled.tokens, *scheduled.draft.tokens])
            return
        wants_logits = scheduled.n_tokens == slot.n_uncomputed and generation.wants_tokens
        batch.add(slot.slot_id, slot.next_position, scheduled.tokens, last_logits=wants_logits)
