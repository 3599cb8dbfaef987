"""Texts to be embedded, on their way through the engine."""

from concurrent.futures import Future
from dataclasses import dataclass, field

from slots.embedding.pooling import Embedding, Pooler
from slots.errors import EngineError, InvalidRequest, PromptTooLong
from slots.options import Pooling

MAX_OUTPUT_FLOATS = 16_777_216
"""In one answer, where each token has an embedding of its own."""
MAX_QUEUED_TOKENS = 16_777_216
"""Of several requests together; each token takes 36 bytes until it is computed."""


def text_too_long(n_tokens: int, max_tokens: int, name: str) -> PromptTooLong:
    """Returns the error for a text of more tokens than may be embedded at once."""
    return PromptTooLong(n_tokens, max_tokens, name, "a text to embed may have")


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts to embed together. Raises InvalidRequest, which names the text, for one of no tokens, or for no texts."""

    texts: tuple[tuple[int, ...], ...]
    """Token ids."""
    name: str = "input"
    """What the dialect calls the texts."""
    n_tokens: int = field(init=False)
    """Of all texts together."""
    _min_token: int = field(init=False)
    _max_token: int = field(init=False)
    """Found where the request is made, since that may be a worker thread: there can be millions of tokens."""

    def __post_init__(self) -> None:
        if not self.texts:
            raise InvalidRequest(self.name, "expected at least one text, got none")
        for index, text in enumerate(self.texts):
            if not text:
                raise InvalidRequest(self.field_name(index), "expected at least one token, got none")
        object.__setattr__(self, "n_tokens", sum(map(len, self.texts)))
        object.__setattr__(self, "_min_token", min(map(min, self.texts)))
        object.__setattr__(self, "_max_token", max(map(max, self.texts)))

    def field_name(self, index: int) -> str:
        """What the dialect calls one of the texts."""
        return self.name if len(self.texts) == 1 else f"{self.name}[{index}]"

    def check(self, n_vocab: int, max_tokens: int) -> None:
        """Raises InvalidRequest for token ids that there are not, and PromptTooLong for a text that is."""
        for index, text in enumerate(self.texts):
            if len(text) > max_tokens:
                raise text_too_long(len(text), max_tokens, self.field_name(index))
        if not (self._min_token >= 0 and self._max_token < n_vocab):
            raise InvalidRequest(self.name, f"expected token ids from 0 to {n_vocab - 1}")

    def check_output_size(self, n_embd: int) -> None:
        """Raises InvalidRequest for more tokens than can be answered with an embedding for each."""
        limit = MAX_OUTPUT_FLOATS // n_embd
        if self.n_tokens > limit:
            expected = f"expected at most {limit} tokens in all, since each has an embedding of its own"
            raise InvalidRequest(self.name, f"{expected}, got {self.n_tokens}")


@dataclass(slots=True, eq=False)
class EmbeddingJob:
    """A request that is being worked on, or waits for it."""

    request: EmbeddingRequest
    future: "Future[list[Embedding]]" = field(default_factory=Future)
    """Gets an embedding for each text, in order; cancelled when nobody waits for it any more."""
    n_started: int = 0
    """Texts, from the first, that were begun."""
    _embeddings: dict[int, Embedding] = field(default_factory=dict)

    @property
    def is_active(self) -> bool:
        """Whether anybody still waits for it, and it has not failed."""
        return not self.future.done()

    @property
    def has_more(self) -> bool:
        """Whether there are texts that were not begun."""
        return self.n_started < len(self.request.texts)

    def start_input(self, sequence: int, pooling: Pooling) -> "EmbeddingInput":
        """Take the next text, to be computed as a sequence."""
        index = self.n_started
        self.n_started += 1
        return EmbeddingInput(self, index, self.request.texts[index], sequence, Pooler(pooling))

    def finish_input(self, index: int, embedding: Embedding) -> None:
        """Keep the embedding of a text; the last one makes the outcome."""
        self._embeddings[index] = embedding
        if len(self._embeddings) == len(self.request.texts) and self.future.set_running_or_notify_cancel():
            self.future.set_result([self._embeddings[index] for index in range(len(self._embeddings))])

    def fail(self, error: EngineError) -> None:
        """It will not be done."""
        if self.is_active and self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


@dataclass(slots=True, eq=False)
class EmbeddingInput:
    """One text, as far as it was computed."""

    job: EmbeddingJob
    index: int
    """Among the texts of its request."""
    tokens: tuple[int, ...]
    sequence: int
    """In the KV cache."""
    pooler: Pooler
    n_computed: int = 0

    @property
    def n_uncomputed(self) -> int:
        """Tokens that are still to be computed."""
        return len(self.tokens) - self.n_computed
