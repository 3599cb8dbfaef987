"""Completion runner: text generation for all slots, one step at a time.

add, add_task, cancel          receive    requests wait for a slot, slot tasks until their slot is idle
      |
    step --+-- _assign_slots              waiting requests get idle slots, and the cached part of their prompts
      |    +-- _schedule       schedule   context shifts, evictions, preemptions, then the tokens of each slot; left
      |    |                              out while the slots of the last step go on generating
      |    +-- _add_drafts                drafted tokens, if all slots of the step only generate
      |    +-- _decode         decode     one llama_decode for all slots
      |    +-- _sample         sample     a token for each row of logits, again while drafted tokens are accepted
      |
drain_events                   emit       the events of the step, for the event loop
"""

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from slots.completion.generation import Generation
from slots.completion.input_batch import InputBatch, SampledRow
from slots.completion.media_rows import split_by_kind
from slots.completion.output_processor import OutputProcessor, StreamEvents
from slots.completion.progress import ProgressReporter
from slots.completion.slot_maintenance import SlotMaintenance
from slots.errors import EngineError, StepFailed, internal_error
from slots.llama import Context, Logits, Vocab
from slots.metrics.engine_stats import EngineStats
from slots.options import EngineOptions
from slots.requests.draft import NO_DRAFT
from slots.requests.events import Failed, StopReason
from slots.requests.media import text_tokens
from slots.requests.request_state import RequestState
from slots.requests.slot import Slot
from slots.requests.stream import CompletionStream
from slots.sampling import RowSampler, Sampler, SamplerContext
from slots.sampling.matching import make_matcher
from slots.sampling.step_sampler import StepSampler
from slots.scheduling.adapter_turns import AdapterTurns
from slots.scheduling.kv_cache_manager import KvCacheManager
from slots.scheduling.media_pace import MediaPace
from slots.scheduling.scheduler import (
    ScheduledSlot,
    SchedulerConfig,
    SlotAssignment,
    assign_slots,
    filler_slots,
    schedule_turn,
)
from slots.scheduling.slot_tasks import SlotTask, SlotTaskQueue
from slots.speculation import Drafter, DraftScheduler

_log = logging.getLogger("slots")

GRAPH_COUNT_SECONDS = 0.5
"""Between two questions to llama.cpp how many graphs it has reused."""


class CompletionRunner:
    """Computes completions. Engine thread only, except where noted."""

    def __init__(
        self,
        context: Context,
        vocab: Vocab,
        sampler_context: SamplerContext,
        options: EngineOptions,
        drafter: Drafter | None = None,
    ) -> None:
        """With a drafter, tokens are drafted when that is expected to save time."""
        is_drafting, n_slots = drafter is not None, context.n_sequences
        self.slots = [
            Slot(slot_id, context.n_ctx_seq, speculates=is_drafting, uses_mrope=context.uses_mrope)
            for slot_id in range(n_slots)
        ]
        self.waiting: list[RequestState] = []
        """Oldest first. Other threads read its length, and the statuses of `slots`."""
        self._context = context
        self._vocab = vocab
        self._sampler_context = sampler_context
        self._n_ctx = None if options.context_shift else context.n_ctx_seq
        self._cache = KvCacheManager(context, self.slots, options.cache_ram_mib)
        self._has_streams = context.can_truncate and not context.is_unified
        self._pace = MediaPace(context.n_ubatch)
        self._scheduler_config = SchedulerConfig(
            context.n_batch,
            context.n_ubatch,
            self._cache.min_shared_tokens,
            context.can_truncate,
            n_media_chunk=self._pace.n_cells,
        )
        self._draft_scheduler = None
        if drafter:
            max_draft_batch = min(context.n_batch, context.n_ubatch, context.max_outputs)
            self._draft_scheduler = DraftScheduler(drafter, n_slots, max_draft_batch, is_unified=context.is_unified)
        self._slot_tasks = SlotTaskQueue()
        self._turns = AdapterTurns(context.switch_seconds)
        self.stats = EngineStats(self._cache.stats)
        self._graphs_counted_at = 0.0
        self._output = OutputProcessor(context.n_ctx_seq, self.stats)
        self._progress = ProgressReporter(self.slots, self._output)
        self._maintenance = SlotMaintenance(self.slots, self._cache, self._output, vocab.bos)
        self._input = InputBatch(self.slots, context.n_batch, vocab.bos or 0)
        rows = RowSampler(vocab.n_tokens, n_slots, context.threads.n_max, lambda: context.threads.n_in_use)
        self._step_sampler = StepSampler(context, rows)

    def warm_up(self) -> None:
        """Compute one token, so that the first request does not wait for what llama.cpp prepares at first use."""
        batch = self._input.llama_batch
        batch.clear()
        batch.add(0, 0, [self._vocab.bos or 0], last_logits=True)
        self._context.decode(batch)
        self._context.clear_sequence(0)

    def close(self) -> None:
        self._step_sampler.close()
        if self._draft_scheduler:
            self._draft_scheduler.close()
        self._context.close()

    @property
    def cache(self) -> KvCacheManager:
        """May be looked at by any thread."""
        return self._cache

    @property
    def n_cells(self) -> int:
        return self._context.n_ctx if self._cache.cells else len(self.slots) * self._context.n_ctx_seq

    @property
    def n_cells_used(self) -> int:
        """KV cells that hold something. May be read by any thread."""
        cells = self._cache.cells
        return self._context.n_ctx - cells.n_free if cells else sum(len(slot.cached) for slot in self.slots)

    @property
    def has_work(self) -> bool:
        return bool(self._output or self._slot_tasks.tasks)

    def add(self, state: RequestState, stream: CompletionStream) -> None:
        self._output.add_request(state, stream)
        self.waiting.append(state)

    def add_task(self, task: SlotTask) -> None:
        self._slot_tasks.tasks.append(task)

    def cancel(self, request_id: int) -> None:
        self.waiting = [state for state in self.waiting if state.request_id != request_id]
        for slot in self.slots:
            if slot.state and slot.state.request_id == request_id:
                slot.release()
        self._output.finish(request_id, None)

    def uses_adapter(self, number: int) -> bool:
        """Whether a request that is not finished needs an adapter."""
        states = (*self.waiting, *(slot.state for slot in self.slots if slot.state))
        return any(number in state.request.adapters for state in states)

    def fail_waiting(self, error: EngineError) -> None:
        """Fail the slot tasks and the requests that never had a slot. All other requests will be finished."""
        fresh = [state for state in self.waiting if self._output.find_generation(state.request_id) is None]
        for state in fresh:
            self.waiting.remove(state)
            self._output.finish(state.request_id, Failed(error))
        self._slot_tasks.fail_all(error)

    def fail_all(self, error: EngineError) -> None:
        for slot in self.slots:
            slot.release()
        self.waiting.clear()
        self._slot_tasks.fail_all(error)
        for request_id in self._output.request_ids:
            self._output.finish(request_id, Failed(error))

    def reset_slots(self) -> None:
        """Empty all slots, after an error that leaves the KV cache in an unknown state."""
        for slot in self.slots:
            self._cache.reset(slot)

    def step(self, deliver: Callable[[], None] = lambda: None) -> None:
        """Run one step. If it fails, the requests in its batch fail. `deliver` sends what there is to report before it
        is computed, which may take long."""
        if self._slot_tasks.tasks:
            self._slot_tasks.run_ready(self.slots, self._cache)
            self._input.forget()  # idle slots may hold something else now
        if self.waiting and any(slot.is_idle for slot in self.slots):
            self._assign_slots()
        if self.waiting:
            self._progress.report_queue(self.waiting, time.perf_counter())
        deliver()
        is_next = self._turns.may_go_on and self._input.is_next(self._cache.cells)
        scheduled = self._input.scheduled if is_next else self._schedule()
        if not scheduled:
            return
        if is_next:
            self._try_batch(scheduled, is_next=True)
            return
        for batch in split_by_kind(scheduled, self._context.n_batch, self._context.n_ubatch):
            self._try_batch(batch, is_next=False)

    def _try_batch(self, scheduled: list[ScheduledSlot], *, is_next: bool) -> None:
        try:
            self._run_batch(scheduled, is_next=is_next)
        except EngineError as error:
            _log.error("a step failed, and with it %d requests: %s", len(scheduled), error)
            self._fail_step(scheduled, StepFailed(f"the model could not be run: {error}"))
        except Exception:
            _log.exception("a step failed, and with it %d requests", len(scheduled))
            self._fail_step(scheduled, internal_error())

    def _fail_step(self, scheduled: list[ScheduledSlot], error: EngineError) -> None:
        self._maintenance.fail([each.slot for each in scheduled], error)

    def _assign_slots(self) -> None:
        waiting, cache = list(self.waiting), self._cache
        for assignment in assign_slots(waiting, self.slots, cache.match, cache.cells, have_streams=self._has_streams):
            state, slot = assignment.state, assignment.slot
            self.waiting.remove(state)
            try:
                self._start_request(assignment)
            except Exception:
                _log.exception("request %d could not be started", state.request_id)
                self._output.finish(state.request_id, Failed(internal_error()))
                slot.release()
                cache.reset(slot)

    def _start_request(self, assignment: SlotAssignment) -> None:
        state, slot = assignment.state, assignment.slot
        self.stats.record_start(state, time.perf_counter())
        self._cache.prepare_slot(slot, state, assignment.match)
        n_cached, n_tokens = len(slot.cached), len(state.tokens)
        _log.debug("request %d: slot %d has %d of %d tokens", state.request_id, slot.slot_id, n_cached, n_tokens)
        request = state.request
        generation = self._output.find_generation(state.request_id)
        if generation is None:
            matcher = make_matcher(request, self._vocab)
            sampler = Sampler(request.sampling, text_tokens(request.prompt), self._sampler_context, matcher)
            generation = Generation(state, self._vocab, sampler, self._n_ctx)
            self._output.attach_generation(generation)
        has_one_output = not slot.speculates or not request.allows_drafts
        allow_top_k = has_one_output and request.backend_sampling
        self._step_sampler.configure_slot(slot.slot_id, generation.sampler, allow_top_k=allow_top_k)
        self._progress.report_prompts(time.perf_counter())

    def _schedule(self) -> list[ScheduledSlot]:
        """Returns the next batch, by slot id: only in this order llama.cpp computes streams in one pass."""
        self._input.forget()
        self._maintenance.shift_contexts()
        self._maintenance.pull_shared_prefixes()
        output = schedule_turn(self.slots, self._scheduler_config, self._cache.cells, self._turns)
        for slot in output.evicted:
            _log.debug("slot %d is evicted, with %d cached tokens", slot.slot_id, len(slot.cached))
            self._maintenance.park(slot)
            self._cache.stats.n_evicted_slots += 1
        for slot in output.preempted:
            self._preempt(slot)
        return sorted(output.scheduled, key=lambda each: each.slot.slot_id)

    def _preempt(self, slot: Slot) -> None:
        """Return a request to the queue, by its age; it will continue from where it is."""
        state = slot.state
        if state:
            _log.debug("request %d is preempted: older ones need slot %d", state.request_id, slot.slot_id)
            slot.release()
            self._cache.stats.n_preempted += 1
            self.waiting = sorted([*self.waiting, state], key=lambda waiting: waiting.request_id)
        self._maintenance.park(slot)

    def _add_drafts(self, scheduled: list[ScheduledSlot]) -> list[ScheduledSlot]:
        """Add the drafts that are expected to save time, if the step only generates."""
        if not self._draft_scheduler:
            return scheduled
        slots = [each.slot for each in scheduled]
        if not all(slot.is_generating for slot in slots):
            self._draft_scheduler.skip_step(slots)
            return scheduled
        n_free = self._cache.cells.n_free if self._cache.cells else None
        drafts = self._draft_scheduler.propose(slots, self._filler_slots(scheduled), n_free)
        if not drafts:
            return scheduled
        return [ScheduledSlot(slot, 1, drafts.get(slot.slot_id, NO_DRAFT)) for slot in slots]

    def _filler_slots(self, scheduled: list[ScheduledSlot]) -> list[Slot]:
        return filler_slots(scheduled, self.slots) if self._has_streams else []

    def _run_batch(self, scheduled: list[ScheduledSlot], *, is_next: bool) -> None:
        """Compute and sample a step: the one that follows on the last one if `is_next`, else another."""
        with_drafts = self._add_drafts(scheduled)
        start = time.perf_counter()
        self.stats.start_step(start)
        if is_next and with_drafts is scheduled:
            tokens = self._input.advance()
            self._turns.record_step(self._input.adapters)
            logits = self._decode()
            self._cache.commit_next(self._input.slots, tokens)
        else:
            self._fill(with_drafts, start)
            logits = self._decode()
            for each in with_drafts:
                self._cache.commit(each.slot, each.tokens)
            self._input.rows = self._rows_to_sample(with_drafts)
        decoded = time.perf_counter()
        self._turns.record_time(decoded - start)
        self._record_pace(decoded - start)
        rows = self._sample(self._input.rows, logits)
        sampled = time.perf_counter()
        self.stats.record_step(start, decoded, sampled, len(scheduled))
        if not self._output or decoded - self._graphs_counted_at > GRAPH_COUNT_SECONDS:
            self._graphs_counted_at, self.stats.n_graphs_reused = decoded, self._context.n_graphs_reused
        self.stats.record_tokens([row.generation.state for row in rows], sampled)
        if self._draft_scheduler:
            self._draft_scheduler.record_step(decoded - start, {row.slot.slot_id: row.n_accepted for row in rows})

    def _record_pace(self, seconds: float) -> None:
        """Let the next steps compute as much of media as the times of these suggest."""
        if self._input.media_batch:
            self._pace.record_media(self._input.media_batch.n_tokens, seconds)
            self._scheduler_config = replace(self._scheduler_config, n_media_chunk=self._pace.n_cells)
        elif self._input.only_generates:
            self._pace.record_tokens(seconds)

    def _fill(self, scheduled: list[ScheduledSlot], now: float) -> None:
        _log.debug("a step of %d slots is planned", len(scheduled))
        for each in scheduled:
            if each.slot.state:
                each.slot.state.start_clock(now)
        if scheduled[0].is_media:
            self._input.fill_media(scheduled, self._output.generation_of)
        else:
            self._input.fill(scheduled, self._filler_slots(scheduled), self._output.generation_of)

    def _decode(self) -> Logits:
        """Compute the batch. Returns the rows of logits, float32: one for each slot whose prompt is computed, followed
        by one for each token of its draft."""
        if self._input.media_batch:
            self._context.use_adapters(self._input.adapters.scales)
            return self._context.decode_media(self._input.media_batch, is_causal=self._input.is_causal)
        try:
            self._context.use_adapters(self._input.adapters.scales)
            return self._context.decode(self._input.llama_batch)
        finally:
            for slot in self._input.fillers:
                self._cache.rollback(slot)

    def _rows_to_sample(self, scheduled: list[ScheduledSlot]) -> list[SampledRow]:
        """Returns the first row of each slot whose prompt is computed, and reports how far the others are. Requests
        that want no tokens are finished."""
        now = time.perf_counter()
        self._progress.report_prompts(now)
        rows: list[SampledRow] = []
        index = 0
        for each in scheduled:
            if each.slot.n_uncomputed > 0:
                continue
            generation = self._output.generation_of(each.slot)
            if generation.state.end_prefill(now):
                self.stats.record_prefill(generation.state, now)
            if generation.wants_tokens:
                rows.append(SampledRow(each.slot, generation, each.draft, index))
                index += 1 + len(each.draft)
            else:
                self._output.finish_slot(each.slot, generation.finish(StopReason.LIMIT, now))
        return rows

    def _sample(self, rows: list[SampledRow], logits: Logits) -> list[SampledRow]:
        """Sample from each row, then from the row after a drafted token if just that was sampled, and so on.

        Returns the rows."""
        drafted = [row for row in rows if row.draft]
        n_accepted = [row.generation.state.n_draft_accepted for row in drafted]
        active, active_drafted = rows, drafted
        while active:
            samplers = [row.generation.sampler for row in active]
            for row in active_drafted:
                row.propose()
            choices = self._step_sampler.sample(samplers, logits, [row.index for row in active])
            now = time.perf_counter()
            for row, choice in zip(active, choices, strict=True):
                self._output.process_token(row.slot, row.generation, choice, now, self._min_forced_tokens)
            active = active_drafted = [row for row in active_drafted if row.accept_draft(self._cache)]
        for row, n_before in zip(drafted, n_accepted, strict=True):
            self._cache.rollback(row.slot)
            self.stats.record_draft(len(row.draft), row.generation.state.n_draft_accepted - n_before)
        return rows

    def _min_forced_tokens(self) -> int:
        """How many forced tokens it takes to save time: with streams, llama.cpp runs over the weights again for each
        different number of tokens per sequence in a batch."""
        return 1 if self._cache.cells else sum(slot.state is not None for slot in self.slots)

    def drain_events(self) -> list[StreamEvents]:
        return self._output.drain_events()
