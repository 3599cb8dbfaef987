"""Engine: the API for the event loop. Requests go in, streams of events come out."""

import asyncio
import gc
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self, TypeVar

from slots.cache.saved_slot import SavedSlot, fingerprint
from slots.completion.runner import CompletionRunner
from slots.completion.slot_maintenance import MIN_DISCARDABLE, n_kept, truncate_prompt
from slots.embedding.pooling import Embedding
from slots.embedding.request import MAX_QUEUED_TOKENS, EmbeddingJob, EmbeddingRequest
from slots.embedding.runner import EmbeddingRunner
from slots.engine.adapter_loading import AdapterLoader, load_at_start
from slots.engine.adapters import Adapter, Adapters
from slots.engine.commands import Cancel, Command, Drain, Embed, Stop, Submit
from slots.engine.contexts import Contexts, make_contexts
from slots.engine.grammars import Grammars
from slots.engine.health import EngineHealth
from slots.engine.heartbeat import Heartbeat
from slots.engine.loop import EngineLoop
from slots.engine.memory_use import MemoryUse, memory_use
from slots.engine.pool_status import CacheUse, PoolStatus, cache_use, pool_status
from slots.errors import (
    InvalidRequest,
    ModelLoadError,
    NotSupported,
    PromptTooLong,
    QueueFull,
    ShuttingDown,
    StepFailed,
)
from slots.llama import Model, release_free_memory
from slots.metrics.engine_stats import EngineStats
from slots.multimodal.encoder import MediaEncoder, load_encoder
from slots.multimodal.media import Media
from slots.options import ContextOptions, EngineOptions, ModelOptions
from slots.requests.adapters import NO_ADAPTERS, AdapterSet
from slots.requests.events import SlotStatus, ThreadNumbers
from slots.requests.request import CompletionRequest
from slots.requests.request_state import RequestState
from slots.requests.slot import Slot
from slots.requests.stream import CompletionStream
from slots.sampling import IS_COMPILED, SamplerContext
from slots.scheduling.kv_cache_manager import KvCacheManager
from slots.scheduling.slot_tasks import SlotTask

_log = logging.getLogger("slots")

Result = TypeVar("Result")


class Engine:
    """A pool of slots on one model. Its methods are for the event loop; a thread of its own does the computing."""

    def __init__(
        self,
        model: Model,
        contexts: Contexts,
        options: EngineOptions,
        fingerprint: str,
        adapters: Adapters,
        *,
        media: MediaEncoder | None = None,
    ) -> None:
        context = contexts.completion
        self.media = media
        """Prepares pictures and sounds for prompts; None if the model takes only text."""
        self.model = model
        self.vocab = model.vocab
        self.fingerprint = fingerprint
        """Hex digits; a saved slot can be restored only in an engine with the same ones."""
        self.max_embedding_tokens = contexts.max_embedding_tokens
        self.n_ctx_slot = context.n_ctx_seq if context else contexts.max_embedding_tokens
        """Maximum tokens of one request, prompt and generated text together."""
        self.n_batch = context.n_batch if context else contexts.max_embedding_tokens
        self.pooling = contexts.pooling
        self.context_shift = options.context_shift
        self.spec_types = options.speculation.spec_types
        self._threads = contexts.threads
        self.grammars = Grammars(self.vocab)
        self._sampler_context = SamplerContext.for_model(self.vocab, self.n_ctx_slot)
        self._commands: SimpleQueue[Command] = SimpleQueue()
        self._completions = None
        if context:
            drafter = contexts.drafter
            self._completions = CompletionRunner(context, self.vocab, self._sampler_context, options, drafter)
        self.stats = self._completions.stats if self._completions else EngineStats()
        """What the engine has done so far; to be read only."""
        self._heartbeat = Heartbeat(self.n_batch, options.watchdog_seconds)
        embeddings = EmbeddingRunner(contexts.make_embedding_context, contexts.pooling, self.stats)
        self._engine_loop = EngineLoop(
            self._completions,
            embeddings,
            model.adapters,
            self._commands,
            stats=self.stats,
            heartbeat=self._heartbeat,
        )
        self.adapters = adapters
        self._adapter_loader = AdapterLoader(model, adapters, self._put)
        self.max_unfinished = self.n_slots + options.max_queue
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
        """Load a model and create its contexts; blocks for seconds to minutes.

        `on_progress` gets the loaded share of the weights, 0 to 1. Raises ModelLoadError.
        """
        loaded = Model(model, on_progress)
        if loaded.vocab.kind == "none":
            raise ModelLoadError(f"{model.path} has no tokenizer; a model without one cannot be served")
        adapters = load_at_start(loaded, options.lora, apply=not options.lora_init_without_apply)
        contexts = make_contexts(loaded, context, options)
        if options.context_shift and contexts.completion and not contexts.completion.can_shift:
            _log.warning("this model's KV cache cannot be shifted: a context shift computes the tokens that stay again")
        if not IS_COMPILED:
            _log.warning(
                "the compiled part of the samplers is missing: tokens are sampled with numpy alone, which is slower; "
                "it is built at installation, with a C++ compiler and Python's headers"
            )
        digest = fingerprint(model.path, context, model.metadata_overrides)
        media = None
        if options.media.path and contexts.completion:
            media = load_encoder(loaded, options.media, contexts.completion.n_ubatch, contexts.load)
        engine = cls(loaded, contexts, options, digest, adapters, media=media)
        if engine._completions and options.warmup:
            engine._completions.warm_up()
        release_free_memory()  # the header, which llama.cpp has copied
        return engine

    @property
    def n_slots(self) -> int:
        """Number of completions that can run at once; 0 if no text is generated."""
        return len(self._completions.slots) if self._completions else 0

    @property
    def is_idle(self) -> bool:
        """Whether no request is unfinished. For the event loop."""
        return self._n_unfinished == 0

    @property
    def n_waiting(self) -> int:
        return len(self._completions.waiting) if self._completions else 0

    @property
    def n_running(self) -> int:
        """Number of requests that have a slot."""
        return sum(slot.state is not None for slot in self._completions.slots) if self._completions else 0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the thread; events are delivered on `loop`.

        What exists by now is left out of later garbage collections, which would stop the thread for as long as it takes
        to look at all of it."""
        gc.freeze()
        self._thread = threading.Thread(target=self._engine_loop.run, args=(loop,), name="engine", daemon=True)
        self._thread.start()

    def prepare_dry(self, sequence_breakers: Sequence[str]) -> None:
        """Find the tokens of sequence breakers. Call it in a worker thread: it may take tens of
        milliseconds."""
        self._sampler_context.find_sequence_breakers(sequence_breakers)

    async def encode(self, media: Iterable[Media]) -> None:
        """Compute the embeddings of media in a prompt, before the request is submitted. Raises QueueFull, ShuttingDown
        and StepFailed."""
        self._check_open()
        if self.media:
            for each in media:
                await self.media.encode(each)

    def submit(self, request: CompletionRequest) -> CompletionStream:
        """Queue a request; returns the stream of its events. With context shift, too long prompts are truncated.

        Raises InvalidRequest (or its subclass PromptTooLong), NotSupported, QueueFull, ShuttingDown and StepFailed.
        """
        self.check_can_generate()
        self._check_open()
        fitting = self.adapters.place(self._fit_prompt(request))
        self._validate(fitting)
        if self._n_unfinished >= self.max_unfinished:
            raise QueueFull(f"all {self.n_slots} slots are busy and {self.n_waiting} requests wait; try again later")
        self._n_unfinished += 1
        self._n_submitted += 1
        request_id = self._n_submitted
        is_truncated = len(fitting.prompt) < len(request.prompt)
        state = RequestState(fitting, request_id, truncated=is_truncated, queued_at=time.perf_counter())
        cancel = partial(self._commands.put, Cancel(request_id))
        stream = CompletionStream(state.n_prompt, cancel, self._release_queue_slot)
        self._commands.put(Submit(state, stream))
        return stream

    async def embed(self, request: EmbeddingRequest, adapters: AdapterSet = NO_ADAPTERS) -> list[Embedding]:
        """Compute the embeddings of texts with LoRA adapters, but for activated ones, which have no effect before their
        invocation; alongside completions. A request takes one place in the queue, however many
        texts it has; several requests together may wait with at most MAX_QUEUED_TOKENS tokens.

        Returns one float32 array per text, not normalized: of shape (n_embd,), without pooling (tokens, n_embd), and
        (1,) for a score. Raises InvalidRequest (or its subclass PromptTooLong), QueueFull, ShuttingDown and StepFailed.
        """
        self._check_open()
        request.check(self.vocab.n_tokens, self.max_embedding_tokens)
        if self.pooling == "none":
            request.check_output_size(self.model.n_embd_out)
        self.adapters.make_set("lora", adapters.scales)
        self._check_embedding_capacity(request)
        job = EmbeddingJob(request, self.adapters.for_embeddings(adapters))
        self._n_embedding_tokens += request.n_tokens
        try:
            return await self._send(Embed(job), job.future)
        finally:
            self._n_embedding_tokens -= request.n_tokens

    async def load_adapter(self, name: str, path: Path, scale: float = 1.0) -> Adapter:
        """Load a LoRA adapter while the engine runs; requests that name it use it with this scale. If the caller is
        cancelled it is loaded all the same. Raises InvalidRequest if the name is taken, and for a file that is no
        adapter of this model; ShuttingDown and StepFailed."""
        self._check_open()
        return await self._adapter_loader.load(name, path, scale)

    async def unload_adapter(self, name: str) -> None:
        """Unload a LoRA adapter: at once no further request may use it, and when those that do have ended it is freed.
        Raises AdapterNotFound, ShuttingDown and StepFailed."""
        self._check_open()
        await self._adapter_loader.unload(name)

    def check_can_generate(self) -> None:
        if not self._completions:
            what = "ranks documents" if self.pooling == "rank" else "computes embeddings"
            raise NotSupported(f"this server only {what}; it generates no text")

    def thread_numbers(self) -> ThreadNumbers:
        """Returns the numbers of threads in use; those of completions if the engine generates text, else those of
        embeddings."""
        threads = self._threads
        return ThreadNumbers(threads.n_latest("few"), threads.n_latest("many"), threads.n_max)

    def memory_use(self) -> MemoryUse:
        return memory_use(
            grammar_tables=self.grammars.table_bytes,
            parked_prefixes=self._completions.cache.prefixes.n_parked_bytes if self._completions else 0,
        )

    def cache_use(self) -> CacheUse:
        return cache_use(self._completions) if self._completions else CacheUse()

    def pool_status(self) -> PoolStatus:
        """Raises NotSupported if no text is generated."""
        self.check_can_generate()
        assert self._completions
        return pool_status(self._completions)

    def health(self) -> EngineHealth:
        """Returns whether the engine takes requests and works on them."""
        if self._engine_loop.has_ended and not self._is_draining:
            return EngineHealth("failed")
        overdue = self._heartbeat.seconds_overdue(time.perf_counter())
        if overdue > 0:
            return EngineHealth("stuck", overdue + self._heartbeat.bound)
        return EngineHealth("draining" if self._is_draining else "ok")

    def slot_statuses(self) -> list[SlotStatus]:
        return [slot.status() for slot in self._completions.slots] if self._completions else []

    async def save_slot(self, slot_id: int) -> SavedSlot:
        """Copy the contents of a slot once it is idle. Raises InvalidRequest if it is unknown or empty, QueueFull,
        ShuttingDown."""
        saved = await self._run_slot_task(slot_id, _save)
        assert isinstance(saved, SavedSlot)
        return saved

    async def restore_slot(self, slot_id: int, saved: SavedSlot) -> None:
        """Replace the contents of a slot once it is idle. Raises InvalidRequest if it is unknown or they do not fit,
        QueueFull, ShuttingDown."""
        await self._run_slot_task(slot_id, lambda cache, slot: cache.load(slot, saved))

    async def erase_slot(self, slot_id: int) -> int:
        """Empty a slot once it is idle; returns how many tokens it held. Raises InvalidRequest if it is unknown,
        QueueFull, ShuttingDown."""
        n_erased = await self._run_slot_task(slot_id, _erase)
        assert isinstance(n_erased, int)
        return n_erased

    def drain(self) -> None:
        """Take no more requests: those that wait fail with ShuttingDown, those that have or had a slot are finished."""
        self._is_draining = True
        self._commands.put(Drain())

    def stop(self) -> None:
        """End the thread after the current step, fail unfinished requests and free the KV cache, not the vocabulary."""
        self._is_draining = True
        if self._thread is None:
            self._engine_loop.close()
        elif self._thread.is_alive():
            self._commands.put(Stop())
            self._thread.join()
        if self.media:
            self.media.close()

    def _put(self, command: Command) -> None:
        """Send a command, unless nobody would answer it any more. Raises ShuttingDown and StepFailed."""
        self._check_open()
        self._commands.put(command)

    def _check_open(self) -> None:
        if self._is_draining:
            raise ShuttingDown("the server is shutting down and takes no more requests")
        if self._engine_loop.has_ended:
            raise StepFailed("the engine has failed; the server has to be started again")

    def _check_embedding_capacity(self, request: EmbeddingRequest) -> None:
        """A single request may have any size, but a queue full of large ones would need too much memory."""
        n_before = self._n_embedding_tokens
        if n_before > 0 and n_before + request.n_tokens > MAX_QUEUED_TOKENS:
            raise QueueFull(f"texts of {n_before} tokens wait to be embedded; try again later")

    def _validate(self, request: CompletionRequest) -> None:
        n_vocab = self.vocab.n_tokens
        if not (min(request.prompt) >= 0 and max(request.prompt) < n_vocab):
            self._check_media(request)
        if not all(0 <= token < n_vocab for token, _ in request.sampling.logit_bias):
            raise InvalidRequest("logit_bias", f"expected token ids from 0 to {n_vocab - 1}")
        if request.slot_id >= 0:
            self._check_slot("slot_id", request.slot_id)

    def _check_media(self, request: CompletionRequest) -> None:
        """Checks a prompt that does not consist of tokens of the vocabulary alone."""
        media, n_vocab = request.media, self.vocab.n_tokens
        if any(token >= n_vocab or (token < 0 and (media is None or token not in media)) for token in request.prompt):
            raise InvalidRequest("prompt", f"expected token ids from 0 to {n_vocab - 1}")

    def _check_slot(self, field: str, slot_id: int) -> None:
        if not 0 <= slot_id < self.n_slots:
            raise InvalidRequest(field, f"expected a slot from 0 to {self.n_slots - 1}, got {slot_id}")

    def _fit_prompt(self, request: CompletionRequest) -> CompletionRequest:
        """Returns the request, with context shift with a prompt that fits into a slot. Raises PromptTooLong."""
        prompt, n_ctx = request.prompt, self.n_ctx_slot
        if request.scope.n_public > n_ctx - MIN_DISCARDABLE:  # a context shift may move private tokens to there
            scope = replace(request.scope, n_public=n_ctx - MIN_DISCARDABLE)
            return self._fit_prompt(request.replace(scope=scope))
        if len(prompt) <= n_ctx:
            return request
        if not self.context_shift:
            raise PromptTooLong(len(prompt), n_ctx, request.prompt_name)
        has_bos = prompt[0] == self.vocab.bos
        kept = n_kept(request.n_keep, len(prompt), request.scope.n_public, n_ctx, has_bos=has_bos)
        shorter = truncate_prompt(prompt, kept, n_ctx)
        if not 0 < len(shorter) <= n_ctx:  # media are left out whole
            raise PromptTooLong(len(prompt), n_ctx, request.prompt_name)
        return request.replace(prompt=shorter)

    async def _run_slot_task(self, slot_id: int, action: Callable[[KvCacheManager, Slot], Any]) -> object:
        self.check_can_generate()
        self._check_open()
        self._check_slot("id_slot", slot_id)
        task = SlotTask(slot_id, action)
        return await self._send(task, task.future)

    async def _send(self, command: Command, future: "Future[Result]") -> Result:
        """Send a command and wait for its result. `future` is cancelled if the caller is. Raises QueueFull."""
        if self._n_unfinished >= self.max_unfinished:
            raise QueueFull("too many requests wait; try again later")
        self._n_unfinished += 1
        try:
            self._commands.put(command)
            return await asyncio.wrap_future(future)
        finally:
            self._n_unfinished -= 1

    def _release_queue_slot(self) -> None:
        """A stream counts until it is read to its end, so that the events of slow readers cannot pile up."""
        self._n_unfinished -= 1


def _save(cache: KvCacheManager, slot: Slot) -> SavedSlot:
    if not slot.cached:
        raise InvalidRequest("id_slot", f"expected a slot that holds something, slot {slot.slot_id} is empty")
    return cache.save(slot)


def _erase(cache: KvCacheManager, slot: Slot) -> int:
    n_tokens = len(slot.cached)
    cache.reset(slot)
    return n_tokens
