"""Completions, as the engine's thread computes them: plan, draft, decode, sample."""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from slots.completion.generation import Generation
from slots.completion.output_processor import Delivery, Told
from slots.completion.slot_maintenance import Upkeep
from slots.engine.commands import Errand, Submit
from slots.errors import EngineError, StepFailed, internal_error
from slots.llama import Batch, Context, Logits, Vocab
from slots.options import EngineOptions
from slots.requests.events import Failed, StopReason
from slots.requests.request_state import Work
from slots.requests.slot import Slot
from slots.sampling import RowSampler, Sampler, Surroundings
from slots.sampling.step_sampler import BackendSampling
from slots.scheduling.kv_cache_manager import KvCache
from slots.scheduling.scheduler import Limits, Share, plan_step, seats, slots_between
from slots.scheduling.slot_tasks import Errands
from slots.speculation import Drafter, Drafting

_log = logging.getLogger("slots")


@dataclass(slots=True)
class Ahead:
    """A slot of which the next token can be chosen."""

    slot: Slot
    draft: Sequence[int]
    """Tokens that were computed behind those of its work."""
    place: int
    """Which row of output its next token is chosen from; the rows behind it are those of the draft."""
    n_right: int = 0
    """Tokens of the draft that turned out to be the text."""

    def goes_on(self, cache: KvCache) -> bool:
        """Whether all that has become pending since is computed already, as the next tokens of the draft. If so, it is
        taken over, and one more token can be chosen."""
        pending = self.slot.pending
        end = self.n_right + len(pending)
        if not pending or list(self.draft[self.n_right : end]) != pending:
            return False
        self.n_right = end
        self.place += len(pending)
        cache.note_computed(self.slot, pending)
        return True


def rows_ahead(shares: Iterable[Share], told: Told, now: float) -> list[Ahead]:
    """What was computed of the slots whose prompts were computed to their ends at `now`, in seconds. Slots that want no
    tokens are done."""
    ahead: list[Ahead] = []
    place = 0
    for share in shares:
        if share.slot.n_pending > 0:
            continue
        generation = told.generation_in(share.slot)
        generation.end_prefill(now)
        if generation.wants_tokens:
            ahead.append(Ahead(share.slot, share.draft, place))
            place += 1 + len(share.draft)
        else:
            told.release(share.slot, generation.finish(StopReason.LIMIT, now))
    return ahead


class CompletionSteps:
    """Works on completions, a step at a time. Belongs to the engine's thread, but for what is said otherwise."""

    def __init__(
        self,
        context: Context,
        vocab: Vocab,
        surroundings: Surroundings,
        options: EngineOptions,
        drafter: Drafter | None = None,
    ) -> None:
        """With a drafter, tokens are guessed ahead where that pays."""
        self.slots = [
            Slot(number, context.n_ctx_seq, speculates=drafter is not None) for number in range(context.n_sequences)
        ]
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
        n_together = min(context.n_batch, context.n_ubatch)
        self._drafting = Drafting(drafter, len(self.slots), n_together, is_pool=context.is_pool) if drafter else None
        self._errands = Errands()
        self._told = Told(context.n_ctx_seq)
        self._upkeep = Upkeep(self.slots, self._cache, self._told, vocab.bos)
        self._batch = Batch(context.n_batch)
        rows = RowSampler(vocab.n_tokens, len(self.slots), context.n_threads_batch)
        self._sampling = BackendSampling(context, rows)

    def warm_up(self) -> None:
        """Compute one token, so that the first request does not wait for what llama.cpp prepares at first use."""
        self._batch.clear()
        self._batch.add(0, 0, [self._vocab.bos or 0], last_logits=True)
        self._context.decode(self._batch)
        self._context.clear_sequence(0)

    @property
    def has_work(self) -> bool:
        """Whether there is anything to do, or to wait for."""
        return bool(self._told or self._errands)

    def add(self, command: Submit | Errand) -> None:
        """Let a request, or an errand, wait for its slot."""
        if isinstance(command, Submit):
            self._told.open(command.work, command.stream)
            self.waiting.append(command.work)
        else:
            self._errands.add(command)

    def step(self) -> None:
        """Give slots to those that wait and compute a batch; what fails in that fails the requests in it."""
        self._errands.run(self.slots, self._cache)
        self._assign_slots()
        self._run_step()

    def take_deliveries(self) -> list[Delivery]:
        """Returns what is to be delivered since the last call."""
        return self._told.take_deliveries()

    def drop_caches(self) -> None:
        """Empty all slots, whose state cannot be relied on."""
        for slot in self.slots:
            self._cache.drop(slot)

    def close(self) -> None:
        """Free the KV cache."""
        self._sampling.close()
        if self._drafting:
            self._drafting.close()
        self._context.close()

    def cancel(self, number: int) -> None:
        """Let go of a request that nobody waits for any more."""
        self.waiting = [work for work in self.waiting if work.number != number]
        for slot in self.slots:
            if slot.work and slot.work.number == number:
                slot.release()
        self._told.end(number, None)

    def fail_waiting(self, error: EngineError) -> None:
        """Fail the requests that never had a slot; those that run, or did, were promised to be finished."""
        fresh = [work for work in self.waiting if self._told.generation(work.number) is None]
        for work in fresh:
            self.waiting.remove(work)
            self._told.end(work.number, Failed(error))
        self._errands.fail_all(error)

    def fail_all(self, error: EngineError) -> None:
        """Fail what is worked on, and what waits."""
        for slot in self.slots:
            slot.release()
        self.waiting.clear()
        self._errands.fail_all(error)
        for number in self._told.numbers:
            self._told.end(number, Failed(error))

    def _assign_slots(self) -> None:
        """Give slots to those that wait."""
        waiting, cache = list(self.waiting), self._cache
        for seat in seats(waiting, self.slots, cache.match, cache.cells, have_streams=self._has_streams):
            work, slot = seat.work, seat.slot
            self.waiting.remove(work)
            try:
                cache.seat(slot, work, seat.match)
                self._begin(slot, work)
            except Exception:
                _log.exception("a request could not be started")
                self._told.end(work.number, Failed(internal_error()))
                slot.release()
                self._cache.drop(slot)

    def _begin(self, slot: Slot, work: Work) -> None:
        _log.debug(
            "request %d: slot %d has %d of %d tokens", work.number, slot.slot_id, len(slot.cached), len(work.tokens)
        )
        generation = self._told.generation(work.number)
        if generation is None:
            request = work.request
            matcher = request.grammar.matcher() if request.grammar else None
            sampler = Sampler(request.sampling, request.prompt, self._surroundings, matcher)
            generation = Generation(work, self._vocab, sampler, None if self._shifts else slot.n_ctx)
            self._told.begin(generation)
        generation.slot_id = slot.slot_id
        has_one_output = not slot.speculates or work.request.n_draft == 0
        is_wanted = has_one_output and work.request.backend_sampling
        self._sampling.begin(slot.slot_id, generation.sampler, is_wanted=is_wanted)

    def _run_step(self) -> None:
        self._upkeep.shift_contexts()
        self._upkeep.catch_up()
        plan = plan_step(self.slots, self._limits, self._cache.cells)
        for slot in plan.parked:
            _log.debug("slot %d gives its %d cached tokens up for others", slot.slot_id, len(slot.cached))
            self._upkeep.give_up(slot)
        for slot in plan.requeued:
            self._requeue(slot)
        if not plan.shares:
            return
        # llama.cpp computes sequences with streams of their own in one pass only in the order of their numbers.
        shares = sorted(plan.shares, key=lambda share: share.slot.slot_id)
        slots = [share.slot for share in shares]
        try:
            shares = self._with_drafts(shares)
            _log.debug("a step of %d tokens for %d slots", sum(s.n_tokens + len(s.draft) for s in shares), len(slots))
            self._advance(shares, self._decode(shares))
        except EngineError as error:
            _log.error("a step failed, and with it %d requests: %s", len(slots), error)
            self._upkeep.abandon(slots, StepFailed(f"the model could not be run: {error}"))
        except Exception:
            _log.exception("a step failed, and with it %d requests", len(slots))
            self._upkeep.abandon(slots, internal_error())

    def _with_drafts(self, shares: list[Share]) -> list[Share]:
        """The shares of a step that only generates, with drafts where those are expected to pay."""
        slots = [share.slot for share in shares]
        if not self._drafting:
            return shares
        if not all(slot.is_generating for slot in slots):
            self._drafting.pass_over(slots)
            return shares
        n_free = self._cache.cells.n_free if self._cache.cells else None
        drafts = self._drafting.propose(slots, self._between(shares), n_free)
        if not drafts:
            return shares
        return [Share(slot, 1, drafts.get(slot.slot_id, ())) for slot in slots]

    def _requeue(self, slot: Slot) -> None:
        """Put a request back to those that wait; it goes on from where it is."""
        work = slot.work
        if work:
            _log.debug("request %d: slot %d is needed for older ones", work.number, slot.slot_id)
            slot.release()
            self.waiting = sorted([*self.waiting, work], key=lambda waiting: waiting.number)
        self._upkeep.give_up(slot)

    def _between(self, shares: list[Share]) -> list[Slot]:
        return slots_between(shares, self.slots) if self._has_streams else []

    def _decode(self, shares: list[Share]) -> Logits:
        """Compute a batch. Returns a row of logits for each slot of which the next token can be chosen, in order, and
        one for each token of its draft behind that."""
        now = time.perf_counter()
        by_slot = {share.slot.slot_id: share for share in shares}
        between = self._between(shares)
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
        self._decode_seconds = time.perf_counter() - now
        return logits

    def _put(self, share: Share, now: float) -> None:
        """Put a share into the batch."""
        slot, generation = share.slot, self._told.generation_in(share.slot)
        generation.start_clock(now)
        if share.draft:
            generation.expect(share.draft)
            self._batch.add_all_outputs(slot.slot_id, len(slot.cached), [*share.tokens, *share.draft])
            return
        wants_logits = share.n_tokens == slot.n_pending and generation.wants_tokens
        self._batch.add(slot.slot_id, len(slot.cached), share.tokens, last_logits=wants_logits)

    def _advance(self, shares: list[Share], logits: Logits) -> None:
        """Choose the next tokens: each slot's from its first row, then again from the row behind a token of its draft
        while that is the one chosen. A choice is the request's own, whatever was guessed."""
        ahead = rows_ahead(shares, self._told, time.perf_counter())
        choosing = ahead
        while choosing:
            samplers = [self._told.generation_in(each.slot).sampler for each in choosing]
            choices = self._sampling.choose(samplers, logits, [each.place for each in choosing])
            now, least_forced = time.perf_counter(), self._least_forced()
            for each, choice in zip(choosing, choices, strict=True):
                self._told.take(each.slot, choice, now, least_forced)
            choosing = [each for each in choosing if each.draft and each.goes_on(self._cache)]
        for each in ahead:
            if each.draft:
                self._cache.take_back(each.slot)
        if self._drafting:
            self._drafting.settle(self._decode_seconds, {each.slot.slot_id: each.n_right for each in ahead})

    def _least_forced(self) -> int:
        """Fewest tokens for which computing them at once saves time. With streams of their own, llama.cpp runs once
        more through the weights for each other number of tokens that a sequence has in a batch."""
        return 1 if self._cache.cells else sum(slot.work is not None for slot in self.slots)
