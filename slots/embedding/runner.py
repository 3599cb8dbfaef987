"""Embedding runner: computes the embeddings of waiting requests, a batch per step."""

import logging
import time
from collections.abc import Callable, Iterable

import numpy as np

from slots.embedding.pooling import Embedding
from slots.embedding.request import EmbeddingInput, EmbeddingJob
from slots.embedding.scheduler import EmbeddingQueue, InputChunk, schedule_batch
from slots.errors import EngineError, ModelLoadError, StepFailed, internal_error
from slots.llama import EmbeddingContext
from slots.metrics.engine_stats import EngineStats
from slots.options import Pooling

_log = logging.getLogger("slots")


class EmbeddingRunner:
    """Belongs to the engine's thread."""

    def __init__(self, make_context: Callable[[], EmbeddingContext], pooling: Pooling, stats: EngineStats) -> None:
        """The context, and its memory, is only made for the first text."""
        self._stats = stats
        self._make_context = make_context
        self._pooling = pooling
        self._context: EmbeddingContext | None = None
        self._queue = EmbeddingQueue(pooling)
        self._unfinished: EmbeddingInput | None = None

    @property
    def has_work(self) -> bool:
        return bool(self._queue) or self._unfinished is not None

    def get_context(self) -> EmbeddingContext:
        """Returns the context, and makes it first if necessary. Raises ModelLoadError."""
        if self._context is None:
            self._context = self._make_context()
        return self._context

    def add(self, job: EmbeddingJob) -> None:
        self._queue.add(job)

    def uses_adapter(self, number: int) -> bool:
        """Whether a request that is not finished needs an adapter."""
        jobs = (*self._queue, *([self._unfinished.job] if self._unfinished else []))
        return any(job.is_active and number in job.adapters for job in jobs)

    def step(self, *, completions_idle: bool) -> None:
        """Compute a batch if there are texts, a smaller one unless `completions_idle`. An error fails the requests in
        the batch."""
        self._drop_inactive()
        if not self.has_work:
            return
        try:
            context = self.get_context()
        except ModelLoadError as error:
            self.fail_all(StepFailed(str(error)))
            return
        chunks = schedule_batch(self._unfinished, self._queue, context.limits, completions_idle=completions_idle)
        _log.debug("embeddings of %d tokens of %d texts", sum(chunk.n_tokens for chunk in chunks), len(chunks))
        try:
            self._compute(context, chunks)
        except EngineError as error:
            _log.error("embeddings failed, and with them %d texts: %s", len(chunks), error)
            self._fail_batch(chunks, StepFailed(f"the model could not be run: {error}"))
        except Exception:
            _log.exception("embeddings failed, and with them %d texts", len(chunks))
            self._fail_batch(chunks, internal_error())

    def fail_waiting(self, error: EngineError) -> None:
        """Fail the requests that were not started; started ones are to be finished."""
        for job in list(self._queue):
            if job.n_started == 0:
                job.fail(error)
        self._queue.drop_inactive()

    def fail_all(self, error: EngineError) -> None:
        _fail({*self._queue, *([self._unfinished.job] if self._unfinished else [])}, error)
        self._drop_inactive()

    def close(self) -> None:
        if self._context:
            self._context.close()
            self._context = None

    def _drop_inactive(self) -> None:
        self._queue.drop_inactive()
        if self._unfinished and not self._unfinished.job.is_active:
            self._clear(self._unfinished)
            self._unfinished = None

    def _compute(self, context: EmbeddingContext, chunks: list[InputChunk]) -> None:
        context.batch.clear()
        for chunk in chunks:
            context.batch.add_all_outputs(chunk.input.sequence, chunk.input.n_computed, chunk.tokens)
        context.use_adapters(chunks[0].input.job.adapters.scales)
        started = time.perf_counter()
        rows = context.compute()
        seconds = time.perf_counter() - started
        self._stats.record_embeddings(sum(chunk.n_tokens for chunk in chunks), len(chunks), seconds)
        start = 0
        self._unfinished = None
        for chunk in chunks:
            end = start + chunk.n_tokens
            self._process_chunk(context, chunk, rows[start:end])
            start = end

    def _process_chunk(self, context: EmbeddingContext, chunk: InputChunk, rows: Embedding) -> None:
        text, is_last = chunk.input, chunk.is_last
        text.n_computed += chunk.n_tokens
        if self._pooling != "rank":
            text.pooler.add(rows)
        elif is_last:
            text.pooler.add(np.array([[context.score(text.sequence)]], np.float32))
        if is_last:
            self._clear(text)
            text.job.finish_input(text.index, text.pooler.result())
        else:
            self._unfinished = text

    def _clear(self, text: EmbeddingInput) -> None:
        if self._context:
            self._context.clear_sequence(text.sequence)

    def _fail_batch(self, chunks: list[InputChunk], error: EngineError) -> None:
        """Fail the requests of a batch, and clear its sequences, whose state is unknown."""
        for chunk in chunks:
            self._clear(chunk.input)
        self._unfinished = None
        _fail({chunk.input.job for chunk in chunks}, error)
        self._queue.drop_inactive()


def _fail(jobs: Iterable[EmbeddingJob], error: EngineError) -> None:
    for job in jobs:
        job.fail(error)
