"""Draft model: drafts from a smaller model with the same vocabulary."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from slots.cache.radix_tree import common_prefix_length
from slots.errors import EngineError
from slots.llama import Batch, Context, Logits
from slots.options import SpeculationOptions
from slots.requests.draft import Draft, Proposal
from slots.requests.request_state import RequestState
from slots.requests.sampling_params import SamplingParams
from slots.requests.slot import Slot

_log = logging.getLogger("slots")

_WEIGHT = 0.25
"""Of the latest token in the time of one."""


class TokenDrawer(Protocol):
    """Draws tokens from the logits of a draft model."""

    def draw(self, row: Logits, params: SamplingParams, text: Sequence[int]) -> tuple[int, Proposal]:
        """Returns a token that may follow `text`, and the distribution that it was drawn from.

        `row` is float32 of shape (vocabulary,), and is changed.
        """


MakeTokenDrawer = Callable[[int], TokenDrawer]
"""Makes one for a number of tokens, those that both models have."""


@dataclass(slots=True)
class _Sequence:
    """The tokens of a slot's text that the draft model has computed."""

    tokens: list[int] = field(default_factory=list)
    n_verified: int = 0
    """How many of them are known to be the text's, while its version is unchanged."""
    version: tuple[int, int] = (-1, 0)


@dataclass(slots=True)
class _SlotDraft:
    """The draft of a slot while it is made."""

    slot: Slot
    tokens: list[int] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)

    @property
    def is_drawn(self) -> bool:
        """Whether the tokens are drawn. If the text has to be the same with drafts as without, they are the most likely
        ones instead, since whether there are drafts depends on the time that steps take."""
        return self.slot.state is not None and not self.slot.state.request.sampling.is_reproducible


class DraftModel:
    """Drafts for all slots in one batch. It computes prompts alongside the model, at most an ubatch per step, which
    does not count as a cost of drafts."""

    is_cheap = False

    def __init__(self, context: Context, n_vocab: int, options: SpeculationOptions, drawer: TokenDrawer) -> None:
        """`context` is the draft model's, with a sequence for each slot; `n_vocab` is the number of tokens that both
        models have."""
        self.n_max = options.draft_n_max
        self.seconds_per_token = 0.0
        self._n_min = options.draft_n_min
        self._p_min = options.draft_p_min
        self._context = context
        self._n_vocab = n_vocab
        self._drawer = drawer
        self._n_chunk = min(context.n_batch, context.n_ubatch)
        self._batch = Batch(context.n_batch)
        self._sequences = [_Sequence() for _ in range(context.n_sequences)]

    def observe(self, slots: Sequence[Slot]) -> None:
        """Compute the next chunk of these slots' prompts."""
        uncomputed = {slot.slot_id: self._uncomputed_prompt(slot) for slot in slots}
        if self.n_max and any(uncomputed.values()):
            self._try_decode({slot_id: tokens for slot_id, tokens in uncomputed.items() if tokens}, set(uncomputed))

    def can_draft(self, slot: Slot) -> bool:
        return True

    def draft(self, slots: Sequence[Slot], n_tokens: int) -> list[Draft]:
        """Returns a draft for each slot; none if its prompt is not computed yet, or the draft would be shorter than
        `draft_n_min`. Prompts are not computed here: the time of this call is charged to the slots' budgets."""
        drafts = {slot.slot_id: _SlotDraft(slot) for slot in slots}
        ready = [slot for slot in slots if n_tokens >= self._n_min and not self._uncomputed_prompt(slot)]
        uncomputed = {slot.slot_id: self._uncomputed(slot, len(slot.state.tokens)) for slot in ready if slot.state}
        uncomputed = {slot_id: tokens for slot_id, tokens in uncomputed.items() if tokens}
        for _ in range(n_tokens):
            if not uncomputed or not self.n_max:
                break
            started, n_decoded = time.perf_counter(), sum(map(len, uncomputed.values()))
            logits = self._try_decode(uncomputed, set(drafts))
            if logits is None:
                break
            uncomputed = self._extend([drafts[slot_id] for slot_id in sorted(uncomputed)], logits)
            if n_decoded <= 2 * len(slots):
                self.seconds_per_token += _WEIGHT * (time.perf_counter() - started - self.seconds_per_token)
        found = (draft if len(draft.tokens) >= self._n_min else _SlotDraft(draft.slot) for draft in drafts.values())
        return [Draft(draft.tokens, draft.proposals) for draft in found]

    def close(self) -> None:
        self._context.close()

    def _uncomputed_prompt(self, slot: Slot) -> list[int]:
        """The uncomputed tokens of the prompt except its last one; none if context shifts removed the prompt."""
        return self._uncomputed(slot, max(slot.state.n_prompt - 1, 0)) if slot.state else []

    def _uncomputed(self, slot: Slot, end: int) -> list[int]:
        """Truncate the sequence to what is still the slot's text, and return the uncomputed tokens of that up to `end`;
        none if they do not fit into the context or the vocabulary."""
        state, sequence = slot.state, self._sequences[slot.slot_id]
        if state is None or end > self._context.n_ctx_seq:
            return []
        self._truncate_to_text(slot.slot_id, sequence, state)
        uncomputed = state.tokens[len(sequence.tokens) : end]
        return uncomputed if not uncomputed or max(uncomputed) < self._n_vocab else []

    def _truncate_to_text(self, slot_id: int, sequence: _Sequence, state: RequestState) -> None:
        version = (state.request_id, state.n_removed)
        start = sequence.n_verified if version == sequence.version else 0
        n_same = start + common_prefix_length(sequence.tokens[start:], state.tokens[start : len(sequence.tokens)])
        n_same = min(n_same, len(state.tokens) - 1)  # the last one has to be computed for its logits
        if n_same < len(sequence.tokens):
            n_same = n_same if self._context.keep_prefix(slot_id, n_same) else 0
            del sequence.tokens[n_same:]
        sequence.n_verified, sequence.version = n_same, version

    def _try_decode(self, uncomputed: dict[int, list[int]], retained: set[int]) -> Logits | None:
        """Returns a row of logits for each sequence if one batch could take all of these tokens, else None and some of
        them are computed. An error ends drafting permanently."""
        try:
            return self._decode(uncomputed, retained)
        except (EngineError, ValueError) as error:
            _log.error("the draft model failed, the texts go on without it: %s", error)
            self.n_max = 0
            return None

    def _decode(self, uncomputed: dict[int, list[int]], retained: set[int]) -> Logits | None:
        if not self._reserve_cells(sum(map(len, uncomputed.values())), retained):
            return None
        n_batch_left = self._n_chunk
        self._batch.clear()
        chunks = {}
        for slot_id in sorted(uncomputed):
            chunks[slot_id] = chunk = uncomputed[slot_id][:n_batch_left]
            n_batch_left -= len(chunk)
            if chunk:
                self._batch.add(slot_id, len(self._sequences[slot_id].tokens), chunk, last_logits=True)
        logits = self._context.decode(self._batch)
        for slot_id, chunk in chunks.items():
            self._sequences[slot_id].tokens += chunk
        return logits if chunks == uncomputed else None

    def _reserve_cells(self, n_tokens: int, retained: set[int]) -> bool:
        """Whether there are cells for this many tokens, if need be after clearing all but the `retained` sequences."""
        if not self._context.is_unified:
            return True
        n_free = self._context.n_ctx - sum(len(sequence.tokens) for sequence in self._sequences)
        for slot_id, sequence in enumerate(self._sequences):
            if n_free < n_tokens and slot_id not in retained:
                n_free += len(sequence.tokens)
                self._context.clear_sequence(slot_id)
                self._sequences[slot_id] = _Sequence()
        return n_free >= n_tokens

    def _extend(self, drafts: Sequence[_SlotDraft], logits: Logits) -> dict[int, list[int]]:
        """Add the next token to each draft, by its row of `logits`, unless it ends before that: its context is full, or
        the most likely token has a probability below `draft_p_min`. Returns the new tokens by slot id."""
        rows = logits[:, : self._n_vocab]
        tokens = rows.argmax(axis=1).tolist()
        is_likely = np.ones(len(rows), bool)
        if self._p_min > 0:
            best = rows[np.arange(len(rows)), tokens]
            is_likely = 1 / np.exp(logits - best[:, None]).sum(axis=1) >= self._p_min
        extended = {}
        for draft, row, token, likely in zip(drafts, rows, tokens, is_likely.tolist(), strict=True):
            slot_id = draft.slot.slot_id
            # A draft that was drawn must not be dropped for what was drawn, so it has at least the minimum length.
            ends = not likely and not (draft.is_drawn and len(draft.tokens) < self._n_min)
            if not ends and len(self._sequences[slot_id].tokens) < self._context.n_ctx_seq:
                extended[slot_id] = [self._draw(draft, row) if draft.is_drawn else token]
                draft.tokens += extended[slot_id]
        return extended

    def _draw(self, draft: _SlotDraft, row: Logits) -> int:
        assert draft.slot.state
        text = self._sequences[draft.slot.slot_id].tokens
        token, proposal = self._drawer.draw(row, draft.slot.state.request.sampling, text)
        draft.proposals.append(proposal)
        return token
