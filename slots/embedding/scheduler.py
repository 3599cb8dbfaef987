"""Which texts go into the next batch. Pure policy: no ctypes, no threads, no clock."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from slots.embedding.request import EmbeddingJob, Text
from slots.llama.embedding_limits import EmbeddingLimits
from slots.options import Pooling


@dataclass(frozen=True, slots=True)
class Piece:
    """Tokens of a text to be computed."""

    text: Text
    n_tokens: int

    @property
    def tokens(self) -> tuple[int, ...]:
        start = self.text.n_computed
        return self.text.tokens[start : start + self.n_tokens]

    @property
    def is_last(self) -> bool:
        """Whether the text is computed with it."""
        return self.n_tokens == self.text.n_pending


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

    def forget_unwanted(self) -> None:
        """Leave out what nobody waits for any more, and what failed."""
        self._jobs = deque(job for job in self._jobs if job.is_wanted)

    def next_length(self) -> int:
        """How many tokens the next text has."""
        job = self._jobs[0]
        return len(job.request.texts[job.n_begun])

    def take(self, sequence: int) -> Text:
        """Begin the next text, as a sequence."""
        job = self._jobs.popleft()
        text = job.begin_text(sequence, self._pooling)
        if job.has_more:
            self._jobs.append(job)
        return text


def plan_batch(
    begun: Text | None, queue: EmbeddingQueue, limits: EmbeddingLimits, *, is_alone: bool = True
) -> list[Piece]:
    """What the next batch computes: the rest of the text that was begun, then others as they come.

    At most one text is left half computed, which is the last. A batch that is not alone, but beside completions, is
    a smaller one.
    """
    pieces: list[Piece] = []
    room = limits.n_batch if is_alone else limits.n_batch_beside
    free = iter(range(limits.n_sequences))
    if begun:
        pieces.append(Piece(begun, min(begun.n_pending, room)))
        room -= pieces[0].n_tokens
        free = iter(sequence for sequence in free if sequence != begun.sequence)
    while queue and room > 0 and len(pieces) < limits.n_sequences:
        length = queue.next_length()
        if not limits.can_chunk and length > room and pieces:
            break
        text = queue.take(next(free))
        pieces.append(Piece(text, min(length, room) if limits.can_chunk else length))
        room -= pieces[-1].n_tokens
    return pieces
