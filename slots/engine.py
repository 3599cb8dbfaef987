"""The thread that owns the llama context: take commands, plan, decode, sample, emit."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Self

from slots.context_size import default_n_ctx, total_memory_bytes
from slots.errors import EngineError, InvalidRequest, ModelLoadError, PromptTooLong, QueueFull, ShuttingDown, StepFailed
from slots.events import Event, Failed, Finished, SlotStatus, StopReason
from slots.generation import Generation
from slots.llama import Batch, Context, Logits, Model, ModelInfo
from slots.options import ContextOptions, EngineOptions, ModelOptions
from slots.prefix_cache import reusable_prefix_length
from slots.request import CompletionRequest
from slots.sampling import Choice, RowSampler, Sampler, Surroundings
from slots.sampling_params import SamplingParams
from slots.scheduler import Limits, Share, choose_slot, plan_step
from slots.slot import Slot
from slots.stream import CompletionStream

_log = logging.getLogger("slots")

_USUAL_BREAKERS = SamplingParams().dry_sequence_breakers


@dataclass(frozen=True, slots=True)
class _Submit:
    number: int
    request: CompletionRequest
    stream: CompletionStream


@dataclass(frozen=True, slots=True)
class _Cancel:
    number: int


class _Drain:
    """Fail what waits for a slot."""


class _Stop:
    """Fail everything and end the thread."""


_Command = _Submit | _Cancel | _Drain | _Stop


class Engine:
    """A pool of slots on one model. Its public methods belong to the event loop, its private ones to its thread."""

    def __init__(self, model: Model, context: Context, options: EngineOptions) -> None:
        self.model = model
        self.vocab = model.vocab
        self.n_ctx_slot = context.n_ctx_seq
        """Most tokens of one request, prompt and text together."""
        self._context = context
        self._slots = [Slot(number, context.n_ctx_seq) for number in range(context.n_sequences)]
        is_pool = context.n_ctx_seq == context.n_ctx
        self._limits = Limits(context.n_batch, context.n_ubatch, context.n_ctx if is_pool else None)
        self.max_unfinished = len(self._slots) + options.max_queue
        """Requests that can be worked on or wait at once."""
        self._commands: SimpleQueue[_Command] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_draining = False
        self._n_submitted = 0
        self._n_unfinished = 0
        self._waiting: list[_Submit] = []
        self._generations: dict[int, Generation] = {}
        self._outbox: list[tuple[CompletionStream, Event | None]] = []
        self._batch = Batch(context.n_batch)
        self._surroundings = Surroundings.of(self.vocab, context.n_ctx_seq)
        self._rows = RowSampler(self.vocab.n_tokens, min(context.n_threads, len(self._slots)))

    @classmethod
    def load(
        cls,
        model: ModelOptions,
        context: ContextOptions,
        options: EngineOptions,
        on_progress: Callable[[float], None],
    ) -> Self:
        """Load a model and make its context; blocks for seconds to minutes.

        `on_progress` gets the share of the weights that is loaded, 0 to 1. Raises ModelLoadError.
        """
        loaded = Model(model, on_progress)
        if loaded.vocab.kind == "none":
            raise ModelLoadError(f"{model.path} has no tokenizer; a model without one cannot be served")
        engine = cls(loaded, Context(loaded, _with_size(context, loaded.info)), options)
        engine._warm_up()
        return engine

    @property
    def n_slots(self) -> int:
        """Requests that can be worked on at once."""
        return len(self._slots)

    @property
    def n_waiting(self) -> int:
        """Requests that wait for a slot, as of the last step."""
        return len(self._waiting)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the thread; events are delivered on `loop`. What the first request with the usual sequence breakers of
        DRY would have to wait for is prepared meanwhile."""
        self._loop = loop
        self._thread.start()
        threading.Thread(target=self._surroundings.find_breakers, args=(_USUAL_BREAKERS,), daemon=True).start()

    def prepare_dry(self, sequence_breakers: Sequence[str]) -> None:
        """Find the tokens of sequence breakers for a request with DRY, so that the engine's thread does not have to.

        Belongs to a worker thread: with a large vocabulary and many new breakers it takes a second.
        """
        self._surroundings.find_breakers(sequence_breakers)

    def submit(self, request: CompletionRequest) -> CompletionStream:
        """Queue a request, first come first served.

        Returns the stream of its events. Raises InvalidRequest (PromptTooLong among them) for a request that this
        model cannot serve, QueueFull and ShuttingDown for one that comes at the wrong time.
        """
        if self._is_draining:
            raise ShuttingDown("the server is shutting down and takes no more requests")
        self._check(request)
        if self._n_unfinished >= self.max_unfinished:
            raise QueueFull(f"all {self.n_slots} slots are busy and {self.n_waiting} requests wait; try again later")
        self._n_unfinished += 1
        self._n_submitted += 1
        number = self._n_submitted
        stream = CompletionStream(lambda: self._commands.put(_Cancel(number)), self._give_place_back)
        self._commands.put(_Submit(number, request, stream))
        return stream

    def slot_statuses(self) -> list[SlotStatus]:
        """What the slots are doing, by number."""
        return [slot.status() for slot in self._slots]

    def drain(self) -> None:
        """Take no more requests: those that wait fail with ShuttingDown, those that have a slot go on."""
        self._is_draining = True
        self._commands.put(_Drain())

    def stop(self) -> None:
        """End the thread and free the KV cache; what still runs fails with ShuttingDown. The vocabulary stays usable.

        Blocks until the step that is being computed is over.
        """
        self._is_draining = True
        if self._thread.is_alive():
            self._commands.put(_Stop())
            self._thread.join()
        elif self._loop is None:
            self._context.close()

    def _check(self, request: CompletionRequest) -> None:
        n_vocab = self.vocab.n_tokens
        if len(request.prompt) > self.n_ctx_slot:
            raise PromptTooLong(len(request.prompt), self.n_ctx_slot)
        if not (min(request.prompt) >= 0 and max(request.prompt) < n_vocab):
            raise InvalidRequest("prompt", f"expected token ids from 0 to {n_vocab - 1}")
        if not all(0 <= token < n_vocab for token, _ in request.sampling.logit_bias):
            raise InvalidRequest("logit_bias", f"expected token ids from 0 to {n_vocab - 1}")
        if request.slot_id >= self.n_slots:
            expected = f"expected -1 or a slot from 0 to {self.n_slots - 1}, got {request.slot_id}"
            raise InvalidRequest("slot_id", expected)

    def _warm_up(self) -> None:
        """Compute one token, so that the first request does not wait for what llama.cpp prepares at first use."""
        self._batch.clear()
        self._batch.add(0, 0, [self.vocab.bos or 0], last_logits=True)
        self._context.decode(self._batch)
        self._context.clear_sequence(0)

    def _run(self) -> None:
        try:
            while self._turn():
                self._emit()
        finally:
            self._emit()
            self._rows.close()
            self._context.close()

    def _turn(self) -> bool:
        """Take commands and run a step; False is the end. Whatever fails outside of a step fails all requests."""
        try:
            if not self._take_commands():
                return False
            self._assign_slots()
            self._step()
        except Exception:
            _log.exception("the engine failed outside of a step, and with it all requests")
            self._fail_all(_internal_error())
            for slot in self._slots:
                self._drop_cache(slot)
        return True

    def _take_commands(self) -> bool:
        """Carry out what was asked since the last step, waiting if there is nothing else to do; False is the end."""
        is_idle = not self._generations and not self._waiting
        try:
            while True:
                command = self._commands.get(block=is_idle)
                is_idle = False
                if isinstance(command, _Submit):
                    self._waiting.append(command)
                elif isinstance(command, _Cancel):
                    self._cancel(command.number)
                elif isinstance(command, _Drain):
                    self._fail_waiting(_shutting_down())
                else:
                    self._fail_all(_shutting_down())
                    return False
        except Empty:
            return True

    def _cancel(self, number: int) -> None:
        for waiting in self._waiting:
            if waiting.number == number:
                self._waiting.remove(waiting)
                self._outbox.append((waiting.stream, None))
                return
        for generation in self._generations.values():
            work = generation.slot.work
            if work is not None and work.number == number:
                self._release(generation.slot, None)
                return

    def _fail_waiting(self, error: EngineError) -> None:
        self._outbox += [(waiting.stream, Failed(error)) for waiting in self._waiting]
        self._waiting.clear()

    def _fail_all(self, error: EngineError) -> None:
        self._fail_waiting(error)
        self._fail([generation.slot for generation in self._generations.values()], error)

    def _assign_slots(self) -> None:
        still_waiting = []
        for waiting in self._waiting:
            slot = choose_slot(waiting.request, self._slots)
            if slot is None:
                still_waiting.append(waiting)
                continue
            try:
                self._begin(slot, waiting)
            except Exception:
                _log.exception("a request could not be started")
                slot.release()
                self._drop_cache(slot)
                self._outbox.append((waiting.stream, Failed(_internal_error())))
        self._waiting = still_waiting

    def _begin(self, slot: Slot, submitted: _Submit) -> None:
        request = submitted.request
        n_reused = reusable_prefix_length(slot.cached, list(request.prompt)) if request.cache_prompt else 0
        if not self._context.keep_prefix(slot.slot_id, n_reused):
            n_reused = 0
        slot.take(request, submitted.number, n_reused)
        _log.debug(
            "request %d: slot %d has %d of %d tokens", submitted.number, slot.slot_id, n_reused, len(request.prompt)
        )
        sampler = Sampler(request.sampling, request.prompt, self._surroundings)
        self._generations[slot.slot_id] = Generation(slot, request, submitted.stream, self.vocab, sampler)

    def _step(self) -> None:
        plan = plan_step(self._slots, self._limits)
        for slot in plan.dropped:
            _log.debug("slot %d gives its %d cached tokens up for others", slot.slot_id, len(slot.cached))
            self._drop_cache(slot)
        if not plan.shares:
            return
        _log.debug("a step of %d tokens for %d slots", sum(s.n_tokens for s in plan.shares), len(plan.shares))
        try:
            self._advance(plan.shares, self._decode(plan.shares))
        except EngineError as error:
            _log.error("a step failed, and with it %d requests: %s", len(plan.shares), error)
            self._abandon(plan.shares, StepFailed(f"the model could not be run: {error}"))
        except Exception:
            _log.exception("a step failed, and with it %d requests", len(plan.shares))
            self._abandon(plan.shares, _internal_error())

    def _decode(self, shares: list[Share]) -> Logits:
        """Compute a batch. Returns a row of logits for each slot of which the next token can be chosen, in order."""
        now = time.perf_counter()
        self._batch.clear()
        for share in shares:
            slot, generation = share.slot, self._generations[share.slot.slot_id]
            generation.start_clock(now)
            start = len(slot.cached)
            tokens = slot.tokens[start : start + share.n_tokens]
            wants_logits = share.n_tokens == slot.n_pending and generation.wants_tokens
            self._batch.add(slot.slot_id, start, tokens, last_logits=wants_logits)
        logits = self._context.decode(self._batch)
        for share in shares:
            start = len(share.slot.cached)
            share.slot.cached += share.slot.tokens[start : start + share.n_tokens]
        return logits

    def _advance(self, shares: list[Share], logits: Logits) -> None:
        now = time.perf_counter()
        sampling = []
        for slot in (share.slot for share in shares if share.slot.n_pending == 0):
            generation = self._generations[slot.slot_id]
            generation.end_prefill(now)
            if generation.wants_tokens:
                sampling.append(generation)
            else:
                self._release(slot, generation.finish(StopReason.LIMIT, now))
        choices = self._rows.choose([generation.sampler for generation in sampling], logits)
        now = time.perf_counter()
        for generation, choice in zip(sampling, choices, strict=True):
            self._take(generation, choice, now)

    def _take(self, generation: Generation, choice: Choice | Exception, now: float) -> None:
        if isinstance(choice, EngineError):
            self._release(generation.slot, Failed(choice))
            return
        if isinstance(choice, Exception):
            _log.error("a token could not be chosen", exc_info=choice)
            self._release(generation.slot, Failed(_internal_error()))
            return
        events = generation.advance(choice, now)
        self._outbox += [(generation.stream, event) for event in events[:-1]]
        if isinstance(events[-1], Finished):
            self._release(generation.slot, events[-1])
        else:
            self._outbox.append((generation.stream, events[-1]))

    def _release(self, slot: Slot, last_event: Finished | Failed | None) -> None:
        """Free a slot; its stream gets its last event, or none if nobody listens any more."""
        generation = self._generations.pop(slot.slot_id)
        slot.release()
        self._outbox.append((generation.stream, last_event))

    def _fail(self, slots: list[Slot], error: EngineError) -> None:
        for slot in slots:
            self._release(slot, Failed(error))

    def _abandon(self, shares: list[Share], error: EngineError) -> None:
        """Fail the requests of a step; nothing is taken for granted of what it left in the KV cache."""
        self._fail([share.slot for share in shares if share.slot.work], error)
        for share in shares:
            self._drop_cache(share.slot)

    def _drop_cache(self, slot: Slot) -> None:
        self._context.clear_sequence(slot.slot_id)
        slot.cached.clear()

    def _emit(self) -> None:
        """Hand the events of a step to the event loop, in one call."""
        if not self._outbox or self._loop is None:
            return
        events, self._outbox = self._outbox, []
        try:
            self._loop.call_soon_threadsafe(self._deliver, events)
        except RuntimeError:
            _log.debug("the event loop is closed, %d events are lost", len(events))

    def _deliver(self, events: list[tuple[CompletionStream, Event | None]]) -> None:
        """Runs on the event loop."""
        for stream, event in events:
            stream.deliver(event)

    def _give_place_back(self) -> None:
        """Runs on the event loop when a stream was read to its end: until then it counts, so that clients which do
        not read cannot pile up what waits for them."""
        self._n_unfinished -= 1


def _with_size(options: ContextOptions, info: ModelInfo) -> ContextOptions:
    if options.n_ctx:
        return options
    n_ctx = default_n_ctx(info, options.n_parallel, kv_unified=options.kv_unified, memory_bytes=total_memory_bytes())
    return replace(options, n_ctx=n_ctx)


def _internal_error() -> StepFailed:
    return StepFailed("an internal error ended the generation")


def _shutting_down() -> ShuttingDown:
    return ShuttingDown("the server is shutting down")
