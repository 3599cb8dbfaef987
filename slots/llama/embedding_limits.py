"""Limits of a context for embeddings: tokens and texts of a batch, and tokens of a text."""

from dataclasses import dataclass, replace

from slots.options import ContextOptions

_MAX_TOKENS = 8192
"""Of one text, unless the batch size is larger: each takes a cell of the KV cache."""
_MAX_SEQUENCES = 32
_MAX_RECURRENT_SEQUENCES = 4
"""Each has a whole state of its own."""
_MAX_LOGITS_BYTES = 128 << 20
"""llama.cpp computes logits along with embeddings, and keeps those of all tokens of a batch."""
_MIN_BATCH = 32
_SHARED_DIVISOR = 4
"""A batch is this many times smaller while completions run, since they wait for it."""


@dataclass(frozen=True, slots=True)
class EmbeddingLimits:
    max_tokens: int
    """Of one text."""
    n_batch: int
    """Maximum tokens of a batch, except for a single longer text that cannot be chunked."""
    n_sequences: int
    """Maximum texts of a batch."""
    can_chunk: bool
    """Whether a text may be computed in several batches."""

    @property
    def n_batch_shared(self) -> int:
        """Maximum tokens of a batch while completions run."""
        return max(self.n_batch // _SHARED_DIVISOR, min(self.n_batch, _MIN_BATCH))

    @property
    def n_cells(self) -> int:
        """KV cells for the one text that may be partly computed, and a whole batch."""
        return self.max_tokens + self.n_batch if self.can_chunk else self.max_tokens

    def context_options(self, options: ContextOptions) -> ContextOptions:
        """Returns the options with the sizes of such a context."""
        n_batch = self.n_batch if self.can_chunk else self.max_tokens
        return replace(
            options,
            n_ctx=self.n_cells,
            n_batch=n_batch,
            n_ubatch=n_batch,
            n_parallel=self.n_sequences,
            kv_unified=True,
        )


def max_causal_tokens(options: ContextOptions, n_ctx: int) -> int:
    """Returns the maximum tokens of one text for a causal model."""
    return min(n_ctx, max(options.n_batch, _MAX_TOKENS))


def causal_limits(options: ContextOptions, n_ctx: int, n_vocab: int, *, is_recurrent: bool) -> EmbeddingLimits:
    """Returns the limits of a causal model, which computes a text in chunks."""
    n_affordable = max(_MAX_LOGITS_BYTES // (4 * n_vocab), _MIN_BATCH)
    n_batch = max(min(options.n_ubatch, n_affordable), 1)
    n_sequences = min(_MAX_RECURRENT_SEQUENCES if is_recurrent else _MAX_SEQUENCES, n_batch)
    return EmbeddingLimits(max_causal_tokens(options, n_ctx), n_batch, n_sequences, can_chunk=True)


def encoder_limits(options: ContextOptions, n_ctx: int) -> EmbeddingLimits:
    """Returns the limits of an encoder, which computes a text as a whole."""
    max_tokens = min(n_ctx, max(options.n_batch, options.n_ubatch))
    n_batch = min(options.n_ubatch, max_tokens)
    return EmbeddingLimits(max_tokens, n_batch, min(_MAX_SEQUENCES, max_tokens), can_chunk=False)
