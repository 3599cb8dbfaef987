"""How much of what is to be embedded fits into one batch, and how long a text may be."""

from dataclasses import dataclass, replace

from slots.options import ContextOptions

_MAX_TOKENS = 8192
"""Of one text, where the batch size does not say more: each takes a cell of the KV cache."""
_MAX_SEQUENCES = 32
_MAX_RECURRENT_SEQUENCES = 4
"""Sequences of a recurrent model, each of which has a whole state of its own."""
_MAX_LOGITS_BYTES = 128 << 20
"""llama.cpp computes logits along with embeddings, and keeps those of all tokens of a batch."""
_MIN_BATCH = 32
_SHARED_DIVISOR = 4
"""A batch is this many times smaller while tokens are generated, which have to wait for it."""


@dataclass(frozen=True, slots=True)
class EmbeddingLimits:
    """What a context for embeddings can take."""

    max_tokens: int
    """Most tokens of one text."""
    n_batch: int
    """Most tokens of a batch, but for one longer text that cannot be cut."""
    n_sequences: int
    """Most texts in a batch."""
    can_chunk: bool
    """A text may be computed in several batches."""

    @property
    def n_batch_shared(self) -> int:
        """Most tokens of a batch while completions run as well."""
        return max(self.n_batch // _SHARED_DIVISOR, min(self.n_batch, _MIN_BATCH))

    @property
    def n_cells(self) -> int:
        """KV cells for the only text that can be half computed, and a whole batch besides."""
        return self.max_tokens + self.n_batch if self.can_chunk else self.max_tokens

    def context_options(self, options: ContextOptions) -> ContextOptions:
        """The options with the sizes of a context for that."""
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
    """Most tokens of one text, for a model that reads it bit by bit, with a context of `n_ctx` tokens."""
    return min(n_ctx, max(options.n_batch, _MAX_TOKENS))


def causal_limits(options: ContextOptions, n_ctx: int, n_vocab: int, *, is_recurrent: bool) -> EmbeddingLimits:
    """The limits of a model that reads a text bit by bit, with a context of `n_ctx` tokens."""
    n_affordable = max(_MAX_LOGITS_BYTES // (4 * n_vocab), _MIN_BATCH)
    n_batch = max(min(options.n_ubatch, n_affordable), 1)
    n_sequences = min(_MAX_RECURRENT_SEQUENCES if is_recurrent else _MAX_SEQUENCES, n_batch)
    return EmbeddingLimits(max_causal_tokens(options, n_ctx), n_batch, n_sequences, can_chunk=True)


def encoder_limits(options: ContextOptions, n_ctx: int) -> EmbeddingLimits:
    """The limits of a model that reads a text as a whole, of at most `n_ctx` tokens."""
    max_tokens = min(n_ctx, max(options.n_batch, options.n_ubatch))
    n_batch = min(options.n_ubatch, max_tokens)
    return EmbeddingLimits(max_tokens, n_batch, min(_MAX_SEQUENCES, max_tokens), can_chunk=False)
