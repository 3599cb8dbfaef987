"""Embedding scheduler: decides which texts go into the next batch. Pure: no ctypes, no threads, no clock."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from slots.embedding.request import EmbeddingInput, EmbeddingJob
from slots.llama.embedding_limits import EmbeddingLimits
from slots.options import Pooling
from slots.requests.adapters import NO_ADAPTERS, AdapterSet


@dataclass(frozen=True, slots=True)
class InputChunk:
    """The next tokens of a text, which a batch computes."""

    input: EmbeddingInput
    n_tokens: int

    @property
    def tokens(self) -> tuple[int, ...]:
        start = self.input.n_computed
        return self.input.tokens[start : start + self.n_tokens]

    @property
    def is_last(self) -> bool:
        """Whether the text ends with it."""
        return self.n_tokens == self.input.n_uncomputed


class EmbeddingQueue:
    """Requests with texts that were not started, served round-robin by text, so that a large request does not delay a
    small one."""

    def __init__(self, pooling: Pooling) -> None:
        self._pooling = pooling
        self._jobs: deque[EmbeddingJob] = deque()

    def __bool__(self) -> bool:
        return bool(self._jobs)

    def __iter__(self) -> Iterator[EmbeddingJob]:
        return iter(self._jobs)

    def add(self, job: EmbeddingJob) -> None:
        self._jobs.append(job)

    def drop_inactive(self) -> None:
        """Remove requests that were cancelled or have failed."""
        self._jobs = deque(job for job in self._jobs if job.is_active)

    def next_adapters(self) -> AdapterSet:
        """Returns the adapters of the next text; none without one."""
        return self._jobs[0].adapters if self._jobs else NO_ADAPTERS

    def find(self, adapters: AdapterSet) -> EmbeddingJob | None:
        """Returns the next request with these adapters."""
        return next((job for job in self._jobs if job.adapters == adapters), None)

    def pop(self, job: EmbeddingJob, sequence: int) -> EmbeddingInput:
        """Start the next text of a request in a sequence of the KV cache."""
        self._jobs.remove(job)
        text = job.start_input(sequence, self._pooling)
        if job.has_more:
            self._jobs.append(job)
        return text


def schedule_batch(
    unfinished: EmbeddingInput | None, queue: EmbeddingQueue, limits: EmbeddingLimits, *, completions_idle: bool = True
) -> list[InputChunk]:
    """Returns the chunks of the next batch: the rest of the unfinished text, then the next ones of the queue with the
    same adapters. Only the last of them may be left unfinished. The batch is smaller unless `completions_idle`."""
    adapters = unfinished.job.adapters if unfinished else queue.next_adapters()
    is_turn_over = queue.next_adapters() != adapters  # so that others wait for no more than the unfinished text
    chunks: list[InputChunk] = []
    n_batch_left = limits.n_batch if completions_idle else limits.n_batch_shared
    free = iter(range(limits.n_sequences))
    if unfinished:
        chunks.append(InputChunk(unfinished, min(unfinished.n_uncomputed, n_batch_left)))
        n_batch_left -= chunks[0].n_tokens
        free = iter(sequence for sequence in free if sequence != unfinished.sequence)
    while n_batch_left > 0 and len(chunks) < limits.n_sequences and not is_turn_over:
        job = queue.find(adapters)
        if job is None:
            break
        length = len(job.request.texts[job.n_started])
        if not limits.can_chunk and length > n_batch_left and chunks:
            break
        text = queue.pop(job, next(free))
        chunks.append(InputChunk(text, min(length, n_batch_left) if limits.can_chunk else length))
        n_batch_left -= chunks[-1].n_tokens
    return chunks
