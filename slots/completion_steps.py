"""Completions, as the engine's thread computes them: plan, decode, sample."""

import logging
import time

from slots.commands import Errand, Submit
from slots.context_shift import discarded, n_kept
from slots.errors import EngineError, StepFailed, internal_error
from slots.events import Event, Failed, Finished, StopReason
from slots.generation import Generation
from slots.kv_cache import KvCache
from slots.llama import Batch, Context, Logits, Vocab
from slots.options import EngineOptions
from slots.outbox import Delivery, Outbox
from slots.sampling import Choice, RowSampler, Sampler, Surroundings
from slots.scheduler import Limits, Share, can_get_slot, choose_slot, has_room, plan_step, slots_between
from slots.slot import Slot
from slots.work import Work

_log = logging.getLogger("slots")

_MOST_UNREAD = 16_384
"""Events that may wait for a client to read them, where that is more than a slot has context."""


class CompletionSteps:
    """Works on completions, a step at a time. Belongs to the engine's thread, but for what is said otherwise."""

    def __init__(self, context: Context, vocab: Vocab, surroundings: Surroundings, options: EngineOptions) -> None:
        self.slots = [Slot(number, context.n_ctx_seq) for number in range(context.n_sequences)]
        """What each is doing may be read from any thread."""
        self.waiting: list[Work] = []
        """By age; its length may be read from any thread."""
        self._context = context
        self._vocab = vocab
        self._surroundings = surroundings
        self._shifts = options.context_shift
        self._cache = KvCache(context, self.slots, options.cache_ram_mib)
        self._has_streams = context.can_cut and not context.is_pool
        self._limits = Limits(context.n_batch, context.n_ubatch, self._cache.least_taken, context.can_cut)
        self._most_unread = max(_MOST_UNREAD, context.n_ctx_seq)
        self._errands: list[Errand] = []
        self._outbox = Outbox()
        self._generations: dict[int, Generation] = {}
        self._batch = Batch(context.n_batch)
        self._rows = RowSampler(vocab.n_tokens, min(context.n_threads, len(self.slots)))

    def warm_up(self) -> None:
        """Compute one token, so that the first request does not wait for what llama.cpp prepares at first use."""
        self._batch.clear()
        self._batch.add(0, 0, [self._vocab.bos or 0], last_logits=True)
        self._context.decode(self._batch)
        self._context.clear_sequence(0)

    @property
    def has_work(self) -> bool:
        """Whether there is anything to do, or to wait for."""
        return bool(self._outbox or self._errands)

    def add(self, command: Submit | Errand) -> None:
        """Let a request, or an errand, wait for its slot."""
        if isinstance(command, Submit):
            self._outbox.open(command.work, command.stream)
            self.waiting.append(command.work)
        else:
            self._errands.append(command)

    def step(self) -> None:
        """Give slots to those that wait and compute a batch; what fails in that fails the requests in it."""
        self._run_errands()
        self._assign_slots()
        self._run_step()

    def take_deliveries(self) -> list[Delivery]:
        """Returns what is to be delivered since the last call."""
        return self._outbox.take()

    def drop_caches(self) -> None:
        """Empty all slots, whose state cannot be relied on."""
        for slot in self.slots:
            self._cache.drop(slot)

    def close(self) -> None:
        """Free the KV cache."""
        self._rows.close()
        self._context.close()

    def cancel(self, number: int) -> None:
        """Let go of a request that nobody waits for any more."""
        self.waiting = [work for work in self.waiting if work.number != number]
        for slot in self.slots:
            if slot.work and slot.work.number == number:
                slot.release()
        self._end(number, None)

    def _end(self, number: int, last_event: Finished | Failed | None) -> None:
        """Let go of a request; its stream gets its last event, or none if nobody listens any more."""
        self._generations.pop(number, None)
        self._outbox.close(number, last_event)

    def _release(self, slot: Slot, last_event: Finished | Failed) -> None:
        if slot.work:
            self._end(slot.work.number, last_event)
            slot.release()

    def fail_waiting(self, error: EngineError) -> None:
        """Fail the requests that never had a slot; those that run, or did, were promised to be finished."""
        fresh = [work for work in self.waiting if work.number not in self._generations]
        for work in fresh:
            self.waiting.remove(work)
            self._end(work.number, Failed(error))
        self._fail_errands(error)

    def _fail_errands(self, error: EngineError) -> None:
        for errand in self._errands:
            errand.fail(error)
        self._errands.clear()

    def fail_all(self, error: EngineError) -> None:
        """Fail what is worked on, and what waits."""
        for slot in self.slots:
            slot.release()
        self.waiting.clear()
        self._fail_errands(error)
        for number in self._outbox.numbers:
            self._end(number, Failed(error))

    def _run_errands(self) -> None:
        """Those whose slots are idle; who does not wait any more is forgotten."""
        self._errands = [errand for errand in self._errands if not errand.outcome.cancelled()]
        for errand in list(self._errands):
            slot = self.slots[errand.slot_id]
            if slot.is_idle:
                self._errands.remove(errand)
                errand.carry_out(self._cache, slot)

    def _assign_slots(self) -> None:
        """Give slots to those that wait, the oldest first. Nobody overtakes who waits for room in the KV cache."""
        for work in list(self.waiting):
            if not can_get_slot(work, self.slots):
                continue
            match = self._cache.match(work)
            slot = choose_slot(work, self.slots, match, have_streams=self._has_streams)
            if not has_room(work, self.slots, match, self._cache.cells):
                break
            self.waiting.remove(work)
            try:
                self._cache.seat(slot, work, match)
                self._begin(slot, work)
            except Exception:
                _log.exception("a request could not be started")
                self._end(work.number, Failed(internal_error()))
                slot.release()
                self._cache.drop(slot)

    def _begin(self, slot: Slot, work: Work) -> None:
        _log.debug(
            "request %d: slot %d has %d of %d tokens", work.number, slot.slot_id, len(slot.cached), len(work.tokens)
        )
        generation = self._generations.get(work.number)
        if generation is None:
            request = work.request
            matcher = request.grammar.matcher() if request.grammar else None
            sampler = Sampler(request.sampling, request.prompt, self._surroundings, matcher)
            generation = Generation(work, self._vocab, sampler, None if self._shifts else slot.n_ctx)
            self._generations[work.number] = generation
        generation.slot_id = slot.slot_id

    def _run_step(self) -> None:
        self._shift_contexts()
        self._cache.catch_up()
        plan = plan_step(self.slots, self._limits, self._cache.cells)
        for slot in plan.parked:
            _log.debug("slot %d gives its %d cached tokens up for others", slot.slot_id, len(slot.cached))
            self._cache.give_up(slot)
        for slot in plan.requeued:
            self._requeue(slot)
        if not plan.shares:
            return
        # llama.cpp computes sequences with streams of their own in one pass only in the order of their numbers.
        shares = sorted(plan.shares, key=lambda share: share.slot.slot_id)
        _log.debug("a step of %d tokens for %d slots", sum(s.n_tokens for s in shares), len(shares))
        try:
            self._advance(shares, self._decode(shares))
        except EngineError as error:
            _log.error("a step failed, and with it %d requests: %s", len(shares), error)
            self._abandon(shares, StepFailed(f"the model could not be run: {error}"))
        except Exception:
            _log.exception("a step failed, and with it %d requests", len(shares))
            self._abandon(shares, internal_error())

    def _shift_contexts(self) -> None:
        """Make room in the slots whose next token is beyond the end of the context."""
        for slot in self.slots:
            work = slot.work
            if work is None or len(work.tokens) <= slot.n_ctx:
                continue
            request = work.request
            has_bos = request.prompt[0] == self._vocab.bos
            kept = n_kept(request.n_keep, work.n_prompt, request.scope.n_public, slot.n_ctx, has_bos=has_bos)
            start, end = discarded(len(slot.cached), kept)
            _log.debug("request %d: the context is full, tokens %d to %d go", work.number, start, end - 1)
            self._cache.forget(slot, start, end)

    def _requeue(self, slot: Slot) -> None:
        """Put a request back to those that wait; it goes on from where it is."""
        work = slot.work
        if work:
            _log.debug("request %d: slot %d is needed for older ones", work.number, slot.slot_id)
            slot.release()
            self.waiting = sorted([*self.waiting, work], key=lambda waiting: waiting.number)
        self._cache.give_up(slot)

    def _decode(self, shares: list[Share]) -> Logits:
        """Compute a batch. Returns a row of logits for each slot of which the next token can be chosen, in order."""
        now = time.perf_counter()
        by_slot = {share.slot.slot_id: share for share in shares}
        between = slots_between(shares, self.slots) if self._has_streams else []
        self._batch.clear()
        for slot in self.slots:
            share = by_slot.get(slot.slot_id)
            if share:
                self._put(share, now)
            elif slot in between:
                self._batch.add(slot.slot_id, len(slot.cached), [self._vocab.bos or 0], last_logits=False)
        try:
            logits = self._context.decode(self._batch)
        finally:
            for slot in between:
                self._cache.take_back(slot)
        for share in shares:
            self._cache.note_computed(share.slot, share.tokens)
        return logits

    def _put(self, share: Share, now: float) -> None:
        """Put a share into the batch."""
        slot, generation = share.slot, self._generation_of(share.slot)
        generation.start_clock(now)
        wants_logits = share.n_tokens == slot.n_pending and generation.wants_tokens
        self._batch.add(slot.slot_id, len(slot.cached), share.tokens, last_logits=wants_logits)

    def _advance(self, shares: list[Share], logits: Logits) -> None:
        now = time.perf_counter()
        slots = [share.slot for share in shares if share.slot.n_pending == 0]
        sampling = []
        for slot in slots:
            generation = self._generation_of(slot)
            generation.end_prefill(now)
            if generation.wants_tokens:
                sampling.append((slot, generation))
            else:
                self._release(slot, generation.finish(StopReason.LIMIT, now))
        samplers = [generation.sampler for _, generation in sampling]
        choices = self._rows.choose(samplers, logits, range(len(samplers)))
        now = time.perf_counter()
        for (slot, generation), choice in zip(sampling, choices, strict=True):
            self._take(slot, generation, choice, now)

    def _take(self, slot: Slot, generation: Generation, choice: Choice | Exception, now: float) -> None:
        if isinstance(choice, EngineError):
            self._release(slot, Failed(choice))
            return
        if isinstance(choice, Exception):
            _log.error("a token could not be chosen", exc_info=choice)
            self._release(slot, Failed(internal_error()))
            return
        try:
            self._go_on(slot, generation, choice, now)
        except EngineError as error:
            self._release(slot, Failed(error))

    def _go_on(self, slot: Slot, generation: Generation, choice: Choice, now: float) -> None:
        """Tell what comes of a choice, and of those that a grammar leaves none about after it."""
        self._tell(slot, generation.advance(choice, now))
        is_bound = slot.work is not None and slot.work.request.grammar is not None
        forced = generation.sampler.take_forced(self._least_forced()) if is_bound else []
        for n_more, token in zip(reversed(range(len(forced))), forced, strict=True):
            if slot.work:
                self._tell(slot, generation.advance(Choice(token, None), now, n_more))
        if slot.work and (n_unread := self._outbox.n_unread(generation.number)) > self._most_unread:
            raise StepFailed(f"{n_unread} tokens wait for the client to read them")

    def _least_forced(self) -> int:
        """Fewest tokens for which computing them at once saves time. With streams of their own, llama.cpp runs once
        more through the weights for each other number of tokens that a sequence has in a batch."""
        return 1 if self._cache.cells else sum(slot.work is not None for slot in self.slots)

    def _tell(self, slot: Slot, events: list[Event]) -> None:
        """Tell a request's stream what became of it; the last event frees the slot."""
        for event in events:
            if isinstance(event, Finished):
                self._release(slot, event)
            elif slot.work:
                self._outbox.tell(slot.work.number, event)

    def _generation_of(self, slot: Slot) -> Generation:
        assert slot.work
        return self._generations[slot.work.number]

    def _abandon(self, shares: list[Share], error: EngineError) -> None:
        """Fail the requests of a step; nothing is taken for granted of what it left in the KV cache."""
        for share in shares:
            self._release(share.slot, Failed(error))
            self._cache.drop(share.slot)
