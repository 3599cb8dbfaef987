"""Which texts go into the next batch. Pure policy: no ctypes, no threads, no clock."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from slots.embedding.request import EmbeddingInput, EmbeddingJob
from slots.llama.embedding_limits import EmbeddingLimits
from slots.options import Pooling


@dataclass(frozen=True, slots=True)
class InputChunk:
    """Tokens of a text to be computed."""

    input: EmbeddingInput
    n_tokens: int

    @property
    def tokens(self) -> tuple[int, ...]:
        start = self.input.n_computed
        return self.input.tokens[start : start + self.n_tokens]

    @property
    def is_last(self) -> bool:
        """Whether the text is computed with it."""
        return self.n_tokens == self.input.n_uncomputed


class EmbeddingQueue:
    """The requests with texts that were not begun. Each gets its turn with one text: many do not hold up a few."""

    def __init__(self, pooling: Pooling) -> None:
        self._pooling = pooling
        self._jobs: deque[EmbeddingJob] = deque()

    def __bool__(self) -> bool:
        return bool(self._jobs)

    def __iter__(self) -> Iterator[EmbeddingJob]:
        return iter(self._jobs)

    def add(self, job: EmbeddingJob) -> None:
        """Let a request wait for its turn."""
        self._jobs.append(job)

    def drop_inactive(self) -> None:
        """Leave out what nobody waits for any more, and what failed."""
        self._jobs = deque(job for job in self._jobs if job.is_active)

    def next_length(self) -> int:
        """How many tokens the next text has."""
        job = self._jobs[0]
        return len(job.request.texts[job.n_started])

    def pop(self, sequence: int) -> EmbeddingInput:
        """Begin the next text, as a sequence."""
        job = self._jobs.popleft()
        text = job.start_input(sequence, self._pooling)
        if job.has_more:
            self._jobs.append(job)
        return text


def schedule_batch(
    unfinished: EmbeddingInput | None, queue: EmbeddingQueue, limits: EmbeddingLimits, *, completions_idle: bool = True
) -> list[InputChunk]:
    """What the next batch computes: the rest of the text that was begun, then others as they come.

    At most one text is left half computed, which is the last. A batch that is not alone, but beside completions, is
    a smaller one.
    """
    chunks: list[InputChunk] = []
    room = limits.n_batch if completions_idle else limits.n_batch_shared
    free = iter(range(limits.n_sequences))
    if unfinished:
        chunks.append(InputChunk(unfinished, min(unfinished.n_uncomputed, room)))
        room -= chunks[0].n_tokens
        free = iter(sequence for sequence in free if sequence != unfinished.sequence)
    while queue and room > 0 and len(chunks) < limits.n_sequences:
        length = queue.next_length()
        if not limits.can_chunk and length > room and chunks:
            break
        text = queue.pop(next(free))
        chunks.append(InputChunk(text, min(length, room) if limits.can_chunk else length))
        room -= chunks[-1].n_tokens
    return chunks
