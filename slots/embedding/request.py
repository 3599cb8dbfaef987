"""Embedding requests, and the state of their texts."""

from concurrent.futures import Future
from dataclasses import dataclass, field

from slots.embedding.pooling import Embedding, Pooler
from slots.errors import EngineError, InvalidRequest, PromptTooLong
from slots.options import Pooling
from slots.requests.adapters import NO_ADAPTERS, AdapterSet

MAX_OUTPUT_FLOATS = 16_777_216
"""Of one request without pooling."""
MAX_QUEUED_TOKENS = 16_777_216
"""Of all requests together; each token takes 36 bytes until it is computed."""


def text_too_long(n_tokens: int, max_tokens: int, name: str) -> PromptTooLong:
    """Returns the error for a text of more than `max_tokens` tokens; `name` is its field."""
    message = (
        f"has {n_tokens} tokens, which is more than a text to embed may have, {max_tokens} tokens: it is too large"
    )
    return PromptTooLong(n_tokens, max_tokens, name, message)


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts to embed. Raises InvalidRequest for no texts, and for a text without tokens."""

    texts: tuple[tuple[int, ...], ...]
    """Token ids."""
    name: str = "input"
    """The field of the dialect."""
    n_tokens: int = field(init=False)
    """Of all texts together."""
    _min_token: int = field(init=False)
    _max_token: int = field(init=False)
    """Computed here, which may be in a worker thread, since there can be millions of tokens."""

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
        """Returns the dialect's field of one text."""
        return self.name if len(self.texts) == 1 else f"{self.name}[{index}]"

    def check(self, n_vocab: int, max_tokens: int) -> None:
        """Raises InvalidRequest for token ids outside the vocabulary and PromptTooLong for a text that exceeds
        `max_tokens`."""
        for index, text in enumerate(self.texts):
            if len(text) > max_tokens:
                raise text_too_long(len(text), max_tokens, self.field_name(index))
        if not (self._min_token >= 0 and self._max_token < n_vocab):
            raise InvalidRequest(self.name, f"expected token ids from 0 to {n_vocab - 1}")

    def check_output_size(self, n_embd: int) -> None:
        """Raises InvalidRequest if an embedding for each token exceeds `MAX_OUTPUT_FLOATS`."""
        limit = MAX_OUTPUT_FLOATS // n_embd
        if self.n_tokens > limit:
            expected = f"expected at most {limit} tokens in all, since each has an embedding of its own"
            raise InvalidRequest(self.name, f"{expected}, got {self.n_tokens}")


@dataclass(slots=True, eq=False)
class EmbeddingJob:
    """A request that is running or waiting."""

    request: EmbeddingRequest
    adapters: AdapterSet = NO_ADAPTERS
    """LoRA adapters to compute it with."""
    future: "Future[list[Embedding]]" = field(default_factory=Future)
    """Gets an embedding for each text, in order; cancelled when the caller goes away."""
    n_started: int = 0
    """Number of texts that were started, from the first."""
    _embeddings: dict[int, Embedding] = field(default_factory=dict)

    @property
    def is_active(self) -> bool:
        """Whether it was neither cancelled, nor finished or failed."""
        return not self.future.done()

    @property
    def has_more(self) -> bool:
        """Whether there are texts that were not started."""
        return self.n_started < len(self.request.texts)

    def start_input(self, sequence: int, pooling: Pooling) -> "EmbeddingInput":
        """Start the next text in a sequence of the KV cache."""
        index = self.n_started
        self.n_started += 1
        return EmbeddingInput(self, index, self.request.texts[index], sequence, Pooler(pooling))

    def finish_input(self, index: int, embedding: Embedding) -> None:
        """Keep the embedding of a text; the last one completes the future."""
        self._embeddings[index] = embedding
        if len(self._embeddings) == len(self.request.texts) and self.future.set_running_or_notify_cancel():
            self.future.set_result([self._embeddings[index] for index in range(len(self._embeddings))])

    def fail(self, error: EngineError) -> None:
        if self.is_active and self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


@dataclass(slots=True, eq=False)
class EmbeddingInput:
    """One text, and how much of it is computed."""

    job: EmbeddingJob
    index: int
    """In the texts of its request."""
    tokens: tuple[int, ...]
    sequence: int
    """In the KV cache."""
    pooler: Pooler
    n_computed: int = 0

    @property
    def n_uncomputed(self) -> int:
        return len(self.tokens) - self.n_computed
