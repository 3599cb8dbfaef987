"""Embeddings, as the engine's thread computes them."""

import logging
from collections.abc import Callable, Iterable

import numpy as np

from slots.embedding.pooling import Embedding
from slots.embedding.request import EmbeddingJob, Text
from slots.embedding.scheduler import EmbeddingQueue, Piece, plan_batch
from slots.errors import EngineError, ModelLoadError, StepFailed, internal_error
from slots.llama import EmbeddingContext
from slots.options import Pooling

_log = logging.getLogger("slots")


class EmbeddingSteps:
    """Computes texts to embed, a batch at a time. Belongs to the engine's thread."""

    def __init__(self, make_context: Callable[[], EmbeddingContext], pooling: Pooling) -> None:
        """The context is made for the first text: who never embeds does without its memory."""
        self._make_context = make_context
        self._pooling = pooling
        self._context: EmbeddingContext | None = None
        self._queue = EmbeddingQueue(pooling)
        self._begun: Text | None = None

    @property
    def has_work(self) -> bool:
        """Whether a step would do something."""
        return bool(self._queue) or self._begun is not None

    def prepare(self) -> EmbeddingContext:
        """Returns the context, which is made if it is not there. Raises ModelLoadError."""
        if self._context is None:
            self._context = self._make_context()
        return self._context

    def add(self, job: EmbeddingJob) -> None:
        """Let a request wait for its turn."""
        self._queue.add(job)

    def step(self, *, is_alone: bool) -> None:
        """Compute a batch, if there is anything to compute; what fails fails those in it. It is a small one where
        completions run as well."""
        self._forget_unwanted()
        if not self.has_work:
            return
        try:
            context = self.prepare()
        except ModelLoadError as error:
            self.fail_all(StepFailed(str(error)))
            return
        pieces = plan_batch(self._begun, self._queue, context.limits, is_alone=is_alone)
        _log.debug("embeddings of %d tokens of %d texts", sum(piece.n_tokens for piece in pieces), len(pieces))
        try:
            self._compute(context, pieces)
        except EngineError as error:
            _log.error("embeddings failed, and with them %d texts: %s", len(pieces), error)
            self._abandon(pieces, StepFailed(f"the model could not be run: {error}"))
        except Exception:
            _log.exception("embeddings failed, and with them %d texts", len(pieces))
            self._abandon(pieces, internal_error())

    def fail_waiting(self, error: EngineError) -> None:
        """Fail the requests of which nothing was begun; the others were promised to be finished."""
        for job in list(self._queue):
            if job.n_begun == 0:
                job.fail(error)
        self._queue.forget_unwanted()

    def fail_all(self, error: EngineError) -> None:
        """Fail what is worked on, and what waits."""
        _fail({*self._queue, *([self._begun.job] if self._begun else [])}, error)
        self._forget_unwanted()

    def close(self) -> None:
        """Free the context."""
        if self._context:
            self._context.close()
            self._context = None

    def _forget_unwanted(self) -> None:
        self._queue.forget_unwanted()
        if self._begun and not self._begun.job.is_wanted:
            self._clear(self._begun)
            self._begun = None

    def _compute(self, context: EmbeddingContext, pieces: list[Piece]) -> None:
        context.batch.clear()
        for piece in pieces:
            context.batch.add_all_outputs(piece.text.sequence, piece.text.n_computed, piece.tokens)
        rows = context.compute()
        start = 0
        self._begun = None
        for piece in pieces:
            end = start + piece.n_tokens
            self._take(context, piece, rows[start:end])
            start = end

    def _take(self, context: EmbeddingContext, piece: Piece, rows: Embedding) -> None:
        text, is_last = piece.text, piece.is_last
        text.n_computed += piece.n_tokens
        if self._pooling != "rank":
            text.pooler.add(rows)
        elif is_last:
            text.pooler.add(np.array([[context.score(text.sequence)]], np.float32))
        if is_last:
            self._clear(text)
            text.job.finish_text(text.index, text.pooler.result())
        else:
            self._begun = text

    def _clear(self, text: Text) -> None:
        if self._context:
            self._context.clear_sequence(text.sequence)

    def _abandon(self, pieces: list[Piece], error: EngineError) -> None:
        """Fail the requests of a batch; nothing is taken for granted of what it left in the KV cache."""
        for piece in pieces:
            self._clear(piece.text)
        self._begun = None
        _fail({piece.text.job for piece in pieces}, error)
        self._queue.forget_unwanted()


def _fail(jobs: Iterable[EmbeddingJob], error: EngineError) -> None:
    for job in jobs:
        job.fail(error)
