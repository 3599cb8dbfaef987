"""The engine as the event loop sees it: requests go in, streams of events come out."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from queue import SimpleQueue
from typing import Any, Self, TypeVar

from slots.cache.saved_slot import SavedSlot, fingerprint
from slots.completion.runner import CompletionRunner
from slots.completion.slot_maintenance import MIN_DISCARDABLE, n_kept, truncate_prompt
from slots.embedding.pooling import Embedding
from slots.embedding.request import MAX_QUEUED_TOKENS, EmbeddingJob, EmbeddingRequest
from slots.embedding.runner import EmbeddingRunner
from slots.engine.commands import Cancel, Command, Drain, Embed, SlotTask, Stop, Submit
from slots.engine.contexts import Contexts, make_contexts
from slots.engine.grammars import Grammars
from slots.engine.loop import EngineLoop
from slots.errors import (
    InvalidRequest,
    ModelLoadError,
    NotSupported,
    PromptTooLong,
    QueueFull,
    ShuttingDown,
    StepFailed,
)
from slots.llama import Model
from slots.options import ContextOptions, EngineOptions, ModelOptions
from slots.requests.events import SlotStatus
from slots.requests.request import CompletionRequest
from slots.requests.request_state import RequestState
from slots.requests.sampling_params import SamplingParams
from slots.requests.slot import Slot
from slots.requests.stream import CompletionStream
from slots.sampling import IS_COMPILED, Surroundings
from slots.scheduling.kv_cache_manager import KvCacheManager

_log = logging.getLogger("slots")

_DEFAULT_BREAKERS = SamplingParams().dry_sequence_breakers

Result = TypeVar("Result")


class Engine:
    """A pool of slots on one model. Its methods belong to the event loop; the work is done by a thread of its own."""

    def __init__(self, model: Model, contexts: Contexts, options: EngineOptions, fingerprint: str) -> None:
        context = contexts.completion
        self.model = model
        self.vocab = model.vocab
        self.fingerprint = fingerprint
        """What a saved slot fits: the model's file and the layout of the KV cache."""
        self.max_embedding_tokens = contexts.max_embedding_tokens
        """Most tokens of a text to embed."""
        self.n_ctx_slot = context.n_ctx_seq if context else contexts.max_embedding_tokens
        """Most tokens of one request, prompt and text together."""
        self.n_batch = context.n_batch if context else contexts.max_embedding_tokens
        """Most tokens in one step."""
        self.pooling = contexts.pooling
        """How embeddings are pooled."""
        self.context_shift = options.context_shift
        """Whether a text goes on beyond the end of the context."""
        self.grammars = Grammars(self.vocab)
        self._sampler_context = Surroundings.of(self.vocab, self.n_ctx_slot)
        self._commands: SimpleQueue[Command] = SimpleQueue()
        around, drafter = self._sampler_context, contexts.drafter
        self._completions = CompletionRunner(context, self.vocab, around, options, drafter) if context else None
        embeddings = EmbeddingRunner(contexts.make_embedding_context, contexts.pooling)
        self._loop = EngineLoop(self._completions, embeddings, self._commands)
        self.max_unfinished = self.n_slots + options.max_queue
        """Requests that can be worked on or wait at once."""
        self._thread: threading.Thread | None = None
        self._is_draining = False
        self._n_submitted = 0
        self._n_unfinished = 0
        self._n_embedding_tokens = 0

    @classmethod
    def load(
        cls,
        model: ModelOptions,
        context: ContextOptions,
        options: EngineOptions,
        on_progress: Callable[[float], None],
    ) -> Self:
        """Load a model and make its contexts; blocks for seconds to minutes.

        `on_progress` gets the share of the weights that is loaded, 0 to 1. Raises ModelLoadError.
        """
        loaded = Model(model, on_progress)
        if loaded.vocab.kind == "none":
            raise ModelLoadError(f"{model.path} has no tokenizer; a model without one cannot be served")
        made = make_contexts(loaded, context, options)
        if options.context_shift and made.completion and not made.completion.can_shift:
            _log.warning("this model's context cannot be moved: where it ends, what stays of it is computed again")
        if not IS_COMPILED:
            _log.warning(
                "the compiled part of the samplers is missing: tokens are chosen with numpy alone, which takes longer; "
                "it is built at installation, with a C++ compiler and Python's headers"
            )
        engine = cls(loaded, made, options, fingerprint(model.path, context))
        if engine._completions:
            engine._completions.warm_up()
        return engine

    @property
    def n_slots(self) -> int:
        """Completions that can be worked on at once; 0 if none are made."""
        return len(self._completions.slots) if self._completions else 0

    @property
    def n_waiting(self) -> int:
        """Requests that wait for a slot, as of the last step."""
        return len(self._completions.waiting) if self._completions else 0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the thread; events are delivered on `loop`. What the first request with the usual sequence breakers of
        DRY would have to wait for is prepared meanwhile."""
        self._thread = threading.Thread(target=self._loop.run, args=(loop,), name="engine", daemon=True)
        self._thread.start()
        if self._completions:
            threading.Thread(target=self._sampler_context.find_breakers, args=(_DEFAULT_BREAKERS,), daemon=True).start()

    def prepare_dry(self, sequence_breakers: Sequence[str]) -> None:
        """Find the tokens of sequence breakers for a request with DRY, so that the engine's thread does not have to.

        Belongs to a worker thread: with a large vocabulary and many new breakers it takes a second.
        """
        self._sampler_context.find_breakers(sequence_breakers)

    def submit(self, request: CompletionRequest) -> CompletionStream:
        """Queue a request, first come first served. A prompt that is too long is cut if contexts are shifted.

        Returns the stream of its events. Raises InvalidRequest (PromptTooLong among them) for a request that this
        model cannot serve, NotSupported where no text is generated, QueueFull and ShuttingDown for one that comes at
        the wrong time.
        """
        self.check_can_generate()
        self._check_open()
        fitting = self._fit_prompt(request)
        self._validate(fitting)
        if self._n_unfinished >= self.max_unfinished:
            raise QueueFull(f"all {self.n_slots} slots are busy and {self.n_waiting} requests wait; try again later")
        self._n_unfinished += 1
        self._n_submitted += 1
        number = self._n_submitted
        work = RequestState(fitting, number, truncated=len(fitting.prompt) < len(request.prompt))
        cancel = partial(self._commands.put, Cancel(number))
        stream = CompletionStream(work.n_prompt, cancel, self._release_queue_slot)
        self._commands.put(Submit(work, stream))
        return stream

    async def embed(self, request: EmbeddingRequest) -> list[Embedding]:
        """Compute the embeddings of texts, beside the completions. A request takes one place in the queue, however
        many texts it has; not more than MOST_WAITING_TOKENS wait of several.

        Returns one for each text, float32 and not normalized: of shape (n_embd,), without pooling (tokens, n_embd), and
        (1,) for a score where the model ranks. Raises InvalidRequest (PromptTooLong among them), QueueFull,
        ShuttingDown and StepFailed.
        """
        self._check_open()
        request.check(self.vocab.n_tokens, self.max_embedding_tokens)
        if self.pooling == "none":
            request.check_output_size(self.model.n_embd_out)
        self._check_embedding_capacity(request)
        job = EmbeddingJob(request)
        self._n_embedding_tokens += request.n_tokens
        try:
            return await self._send(Embed(job), job.future)
        finally:
            self._n_embedding_tokens -= request.n_tokens

    def check_can_generate(self) -> None:
        """Raises NotSupported where no text is generated."""
        if not self._completions:
            what = "ranks documents" if self.pooling == "rank" else "computes embeddings"
            raise NotSupported(f"this server only {what}; it generates no text")

    def slot_statuses(self) -> list[SlotStatus]:
        """What the slots are doing, by number."""
        return [slot.status() for slot in self._completions.slots] if self._completions else []

    async def save_slot(self, slot_id: int) -> SavedSlot:
        """Wait until a slot is idle and return a copy of what it holds.

        Raises InvalidRequest for a slot that there is not or that holds nothing, QueueFull, ShuttingDown.
        """
        saved = await self._run_slot_task(slot_id, _save)
        assert isinstance(saved, SavedSlot)
        return saved

    async def restore_slot(self, slot_id: int, saved: SavedSlot) -> None:
        """Wait until a slot is idle and make it hold what was saved.

        Raises InvalidRequest for a slot that there is not and for what it cannot hold, QueueFull, ShuttingDown.
        """
        await self._run_slot_task(slot_id, lambda cache, slot: cache.load(slot, saved))

    async def erase_slot(self, slot_id: int) -> int:
        """Wait until a slot is idle and empty it. Returns how many tokens it held.

        Raises InvalidRequest for a slot that there is not, QueueFull, ShuttingDown.
        """
        n_erased = await self._run_slot_task(slot_id, _erase)
        assert isinstance(n_erased, int)
        return n_erased

    def drain(self) -> None:
        """Take no more requests: those that wait fail with ShuttingDown, those that have a slot go on."""
        self._is_draining = True
        self._commands.put(Drain())

    def stop(self) -> None:
        """End the thread and free the KV cache; what still runs fails with ShuttingDown. The vocabulary stays usable.

        Blocks until the step that is being computed is over.
        """
        self._is_draining = True
        if self._thread is None:
            self._loop.close()
        elif self._thread.is_alive():
            self._commands.put(Stop())
            self._thread.join()

    def _check_open(self) -> None:
        if self._is_draining:
            raise ShuttingDown("the server is shutting down and takes no more requests")
        if self._loop.has_ended:
            raise StepFailed("the engine has failed; the server has to be started again")

    def _check_embedding_capacity(self, request: EmbeddingRequest) -> None:
        """Any one request may come, but a full queue of large ones would take all of the memory."""
        n_before = self._n_embedding_tokens
        if n_before > 0 and n_before + request.n_tokens > MAX_QUEUED_TOKENS:
            raise QueueFull(f"texts of {n_before} tokens wait to be embedded; try again later")

    def _validate(self, request: CompletionRequest) -> None:
        n_vocab = self.vocab.n_tokens
        if not (min(request.prompt) >= 0 and max(request.prompt) < n_vocab):
            raise InvalidRequest("prompt", f"expected token ids from 0 to {n_vocab - 1}")
        if not all(0 <= token < n_vocab for token, _ in request.sampling.logit_bias):
            raise InvalidRequest("logit_bias", f"expected token ids from 0 to {n_vocab - 1}")
        if request.slot_id >= 0:
            self._check_slot("slot_id", request.slot_id)

    def _check_slot(self, field: str, slot_id: int) -> None:
        if not 0 <= slot_id < self.n_slots:
            raise InvalidRequest(field, f"expected a slot from 0 to {self.n_slots - 1}, got {slot_id}")

    def _fit_prompt(self, request: CompletionRequest) -> CompletionRequest:
        """The request itself, or one with a prompt that was cut to fit into a slot. Raises PromptTooLong."""
        prompt, n_ctx = request.prompt, self.n_ctx_slot
        if request.scope.n_public > n_ctx - MIN_DISCARDABLE:  # where what is not public may come to stand
            scope = replace(request.scope, n_public=n_ctx - MIN_DISCARDABLE)
            return self._fit_prompt(request.replace(scope=scope))
        if len(prompt) <= n_ctx:
            return request
        if not self.context_shift:
            raise PromptTooLong(len(prompt), n_ctx, request.prompt_name)
        has_bos = prompt[0] == self.vocab.bos
        kept = n_kept(request.n_keep, len(prompt), request.scope.n_public, n_ctx, has_bos=has_bos)
        return request.replace(prompt=truncate_prompt(prompt, kept, n_ctx))

    async def _run_slot_task(self, slot_id: int, run: Callable[[KvCacheManager, Slot], Any]) -> object:
        self.check_can_generate()
        self._check_open()
        self._check_slot("id_slot", slot_id)
        errand = SlotTask(slot_id, run)
        return await self._send(errand, errand.future)

    async def _send(self, command: Command, outcome: "Future[Result]") -> Result:
        """What comes of a command; it is cancelled when nobody waits for it any more. Raises QueueFull."""
        if self._n_unfinished >= self.max_unfinished:
            raise QueueFull("too many requests wait; try again later")
        self._n_unfinished += 1
        try:
            self._commands.put(command)
            return await asyncio.wrap_future(outcome)
        finally:
            self._n_unfinished -= 1

    def _release_queue_slot(self) -> None:
        """Runs on the event loop when a stream was read to its end: until then it counts, so that clients which do
        not read cannot pile up what waits for them."""
        self._n_unfinished -= 1


def _save(cache: KvCacheManager, slot: Slot) -> SavedSlot:
    if not slot.cached:
        raise InvalidRequest("id_slot", f"expected a slot that holds something, slot {slot.slot_id} is empty")
    return cache.save(slot)


def _erase(cache: KvCacheManager, slot: Slot) -> int:
    n_tokens = len(slot.cached)
    cache.reset(slot)
    return n_tokens
