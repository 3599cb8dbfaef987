"""Completions, as the engine's thread computes them: plan, draft, decode, sample."""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from slots.completion.generation import Generation
from slots.completion.output_processor import OutputProcessor, StreamEvents
from slots.completion.slot_maintenance import SlotMaintenance
from slots.engine.commands import SlotTask, Submit
from slots.errors import EngineError, StepFailed, internal_error
from slots.llama import Batch, Context, Logits, Vocab
from slots.options import EngineOptions
from slots.requests.events import Failed, StopReason
from slots.requests.request_state import RequestState
from slots.requests.slot import Slot
from slots.sampling import RowSampler, Sampler, SamplerContext
from slots.sampling.step_sampler import StepSampler
from slots.scheduling.kv_cache_manager import KvCacheManager
from slots.scheduling.scheduler import ScheduledSlot, SchedulerConfig, assign_slots, filler_slots, schedule
from slots.scheduling.slot_tasks import SlotTaskQueue
from slots.speculation import Drafter, DraftScheduler

_log = logging.getLogger("slots")


@dataclass(slots=True)
class SampledRow:
    """A slot of which the next token can be chosen."""

    slot: Slot
    draft: Sequence[int]
    """Tokens that were computed behind those of its work."""
    row: int
    """Which row of output its next token is chosen from; the rows behind it are those of the draft."""
    n_accepted: int = 0
    """Tokens of the draft that turned out to be the text."""

    def accept_draft(self, cache: KvCacheManager) -> bool:
        """Whether all that has become pending since is computed already, as the next tokens of the draft. If so, it is
        taken over, and one more token can be chosen."""
        pending = self.slot.uncomputed
        end = self.n_accepted + len(pending)
        if not pending or list(self.draft[self.n_accepted : end]) != pending:
            return False
        self.n_accepted = end
        self.row += len(pending)
        cache.commit(self.slot, pending)
        return True


def rows_to_sample(scheduled: Iterable[ScheduledSlot], output: OutputProcessor, now: float) -> list[SampledRow]:
    """What was computed of the slots whose prompts were computed to their ends at `now`, in seconds. Slots that want no
    tokens are done."""
    ahead: list[SampledRow] = []
    place = 0
    for share in scheduled:
        if share.slot.n_uncomputed > 0:
            continue
        generation = output.generation_of(share.slot)
        generation.end_prefill(now)
        if generation.wants_tokens:
            ahead.append(SampledRow(share.slot, share.draft, place))
            place += 1 + len(share.draft)
        else:
            output.finish_slot(share.slot, generation.finish(StopReason.LIMIT, now))
    return ahead


class CompletionRunner:
    """Works on completions, a step at a time. Belongs to the engine's thread, but for what is said otherwise."""

    def __init__(
        self,
        context: Context,
        vocab: Vocab,
        sampler_context: SamplerContext,
        options: EngineOptions,
        drafter: Drafter | None = None,
    ) -> None:
        """With a drafter, tokens are guessed ahead where that pays."""
        self.slots = [
            Slot(number, context.n_ctx_seq, speculates=drafter is not None) for number in range(context.n_sequences)
        ]
        """What each is doing may be read from any thread."""
        self.waiting: list[RequestState] = []
        """By age; its length may be read from any thread."""
        self._context = context
        self._vocab = vocab
        self._sampler_context = sampler_context
        self._context_shift = options.context_shift
        self._cache = KvCacheManager(context, self.slots, options.cache_ram_mib)
        self._has_streams = context.can_truncate and not context.is_unified
        self._scheduler_config = SchedulerConfig(
            context.n_batch, context.n_ubatch, self._cache.min_shared_tokens, context.can_truncate
        )
        max_draft_batch = min(context.n_batch, context.n_ubatch)
        self._draft_scheduler = (
            DraftScheduler(drafter, len(self.slots), max_draft_batch, is_unified=context.is_unified)
            if drafter
            else None
        )
        self._slot_tasks = SlotTaskQueue()
        self._output = OutputProcessor(context.n_ctx_seq)
        self._maintenance = SlotMaintenance(self.slots, self._cache, self._output, vocab.bos)
        self._batch = Batch(context.n_batch)
        rows = RowSampler(vocab.n_tokens, len(self.slots), context.n_threads_batch)
        self._step_sampler = StepSampler(context, rows)

    def warm_up(self) -> None:
        """Compute one token, so that the first request does not wait for what llama.cpp prepares at first use."""
        self._batch.clear()
        self._batch.add(0, 0, [self._vocab.bos or 0], last_logits=True)
        self._context.decode(self._batch)
        self._context.clear_sequence(0)

    @property
    def has_work(self) -> bool:
        """Whether there is anything to do, or to wait for."""
        return bool(self._output or self._slot_tasks)

    def add(self, command: Submit | SlotTask) -> None:
        """Let a request, or an errand, wait for its slot."""
        if isinstance(command, Submit):
            self._output.add_request(command.state, command.stream)
            self.waiting.append(command.state)
        else:
            self._slot_tasks.add(command)

    def step(self) -> None:
        """Give slots to those that wait and compute a batch; what fails in that fails the requests in it."""
        self._slot_tasks.run_ready(self.slots, self._cache)
        self._assign_slots()
        self._run_step()

    def drain_events(self) -> list[StreamEvents]:
        """Returns what is to be delivered since the last call."""
        return self._output.drain_events()

    def reset_slots(self) -> None:
        """Empty all slots, whose state cannot be relied on."""
        for slot in self.slots:
            self._cache.reset(slot)

    def close(self) -> None:
        """Free the KV cache."""
        self._step_sampler.close()
        if self._draft_scheduler:
            self._draft_scheduler.close()
        self._context.close()

    def cancel(self, request_id: int) -> None:
        """Let go of a request that nobody waits for any more."""
        self.waiting = [work for work in self.waiting if work.request_id != request_id]
        for slot in self.slots:
            if slot.state and slot.state.request_id == request_id:
                slot.release()
        self._output.finish(request_id, None)

    def fail_waiting(self, error: EngineError) -> None:
        """Fail the requests that never had a slot; those that run, or did, were promised to be finished."""
        fresh = [work for work in self.waiting if self._output.find_generation(work.request_id) is None]
        for work in fresh:
            self.waiting.remove(work)
            self._output.finish(work.request_id, Failed(error))
        self._slot_tasks.fail_all(error)

    def fail_all(self, error: EngineError) -> None:
        """Fail what is worked on, and what waits."""
        for slot in self.slots:
            slot.release()
        self.waiting.clear()
        self._slot_tasks.fail_all(error)
        for number in self._output.request_ids:
            self._output.finish(number, Failed(error))

    def _assign_slots(self) -> None:
        """Give slots to those that wait."""
        waiting, cache = list(self.waiting), self._cache
        for seat in assign_slots(waiting, self.slots, cache.match, cache.cells, have_streams=self._has_streams):
            work, slot = seat.state, seat.slot
            self.waiting.remove(work)
            try:
                cache.prepare_slot(slot, work, seat.match)
                self._start_request(slot, work)
            except Exception:
                _log.exception("a request could not be started")
                self._output.finish(work.request_id, Failed(internal_error()))
                slot.release()
                self._cache.reset(slot)

    def _start_request(self, slot: Slot, state: RequestState) -> None:
        _log.debug(
            "request %d: slot %d has %d of %d tokens",
            state.request_id,
            slot.slot_id,
            len(slot.cached),
            len(state.tokens),
        )
        generation = self._output.find_generation(state.request_id)
        if generation is None:
            request = state.request
            matcher = request.grammar.matcher() if request.grammar else None
            sampler = Sampler(request.sampling, request.prompt, self._sampler_context, matcher)
            generation = Generation(state, self._vocab, sampler, None if self._context_shift else slot.n_ctx)
            self._output.attach_generation(generation)
        generation.slot_id = slot.slot_id
        has_one_output = not slot.speculates or state.request.n_draft == 0
        is_wanted = has_one_output and state.request.backend_sampling
        self._step_sampler.configure_slot(slot.slot_id, generation.sampler, allow_top_k=is_wanted)

    def _run_step(self) -> None:
        self._maintenance.shift_contexts()
        self._maintenance.pull_shared_prefixes()
        plan = schedule(self.slots, self._scheduler_config, self._cache.cells)
        for slot in plan.evicted:
            _log.debug("slot %d gives its %d cached tokens up for others", slot.slot_id, len(slot.cached))
            self._maintenance.park(slot)
        for slot in plan.preempted:
            self._preempt(slot)
        if not plan.scheduled:
            return
        # llama.cpp computes sequences with streams of their own in one pass only in the order of their numbers.
        shares = sorted(plan.scheduled, key=lambda share: share.slot.slot_id)
        slots = [share.slot for share in shares]
        try:
            shares = self._add_drafts(shares)
            _log.debug("a step of %d tokens for %d slots", sum(s.n_tokens + len(s.draft) for s in shares), len(slots))
            self._sample(shares, self._decode(shares))
        except EngineError as error:
            _log.error("a step failed, and with it %d requests: %s", len(slots), error)
            self._maintenance.fail(slots, StepFailed(f"the model could not be run: {error}"))
        except Exception:
            _log.exception("a step failed, and with it %d requests", len(slots))
            self._maintenance.fail(slots, internal_error())

    def _add_drafts(self, scheduled: list[ScheduledSlot]) -> list[ScheduledSlot]:
        """The shares of a step that only generates, with drafts where those are expected to pay."""
        slots = [share.slot for share in scheduled]
        if not self._draft_scheduler:
            return scheduled
        if not all(slot.is_generating for slot in slots):
            self._draft_scheduler.skip_step(slots)
            return scheduled
        n_free = self._cache.cells.n_free if self._cache.cells else None
        drafts = self._draft_scheduler.propose(slots, self._filler_slots(scheduled), n_free)
        if not drafts:
            return scheduled
        return [ScheduledSlot(slot, 1, drafts.get(slot.slot_id, ())) for slot in slots]

    def _preempt(self, slot: Slot) -> None:
        """Put a request back to those that wait; it goes on from where it is."""
        work = slot.state
        if work:
            _log.debug("request %d: slot %d is needed for older ones", work.request_id, slot.slot_id)
            slot.release()
            self.waiting = sorted([*self.waiting, work], key=lambda waiting: waiting.request_id)
        self._maintenance.park(slot)

    def _filler_slots(self, scheduled: list[ScheduledSlot]) -> list[Slot]:
        return filler_slots(scheduled, self.slots) if self._has_streams else []

    def _decode(self, scheduled: list[ScheduledSlot]) -> Logits:
        """Compute a batch. Returns a row of logits for each slot of which the next token can be chosen, in order, and
        one for each token of its draft behind that."""
        now = time.perf_counter()
        by_slot = {share.slot.slot_id: share for share in scheduled}
        between = self._filler_slots(scheduled)
        self._batch.clear()
        for slot in self.slots:
            share = by_slot.get(slot.slot_id)
            if share:
                self._add_to_batch(share, now)
            elif slot in between:
                self._batch.add(slot.slot_id, len(slot.cached), [self._vocab.bos or 0], last_logits=False)
        try:
            logits = self._context.decode(self._batch)
        finally:
            for slot in between:
                self._cache.rollback(slot)
        for share in scheduled:
            self._cache.commit(share.slot, share.tokens)
        self._decode_seconds = time.perf_counter() - now
        return logits

    def _add_to_batch(self, scheduled: ScheduledSlot, now: float) -> None:
        """Put a share into the batch."""
        slot, generation = scheduled.slot, self._output.generation_of(scheduled.slot)
        generation.start_clock(now)
        if scheduled.draft:
            generation.set_draft(scheduled.draft)
            self._batch.add_all_outputs(slot.slot_id, len(slot.cached), [*scheduled.tokens, *scheduled.draft])
            return
        wants_logits = scheduled.n_tokens == slot.n_uncomputed and generation.wants_tokens
        self._batch.add(slot.slot_id, len(slot.cached), scheduled.tokens, last_logits=wants_logits)

    def _sample(self, scheduled: list[ScheduledSlot], logits: Logits) -> None:
        """Choose the next tokens: each slot's from its first row, then again from the row behind a token of its draft
        while that is the one chosen. A choice is the request's own, whatever was guessed."""
        ahead = rows_to_sample(scheduled, self._output, time.perf_counter())
        choosing = ahead
        while choosing:
            samplers = [self._output.generation_of(each.slot).sampler for each in choosing]
            choices = self._step_sampler.sample(samplers, logits, [each.row for each in choosing])
            now, least_forced = time.perf_counter(), self._min_forced_tokens()
            for each, choice in zip(choosing, choices, strict=True):
                self._output.process_token(each.slot, choice, now, least_forced)
            choosing = [each for each in choosing if each.draft and each.accept_draft(self._cache)]
        for each in ahead:
            if each.draft:
                self._cache.rollback(each.slot)
        if self._draft_scheduler:
            self._draft_scheduler.record_step(
                self._decode_seconds, {each.slot.slot_id: each.n_accepted for each in ahead}
            )

    def _min_forced_tokens(self) -> int:
        """Fewest tokens for which computing them at once saves time. With streams of their own, llama.cpp runs once
        more through the weights for each other number of tokens that a sequence has in a batch."""
        return 1 if self._cache.cells else sum(slot.state is not None for slot in self.slots)
