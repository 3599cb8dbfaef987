"""Decoding on single sequences of a context, for tests of what the KV cache holds."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from slots.llama import Batch, Context, Logits, Model
from slots.options import ContextOptions

_N_BATCH = 128


class Sequences:
    """A context whose sequences are fed one by one."""

    def __init__(self, model: Model, **options: Any) -> None:
        sizes = {"n_ctx": 1536, "n_parallel": 3, "n_batch": _N_BATCH, "n_ubatch": 64, "n_threads": 1}
        self.context = Context(model, ContextOptions(**{**sizes, "flash_attention": "off", **options}))
        self._batch = Batch(self.context.n_batch)
        self._empty_bytes = self.context.snapshot_bytes(0)

    def feed(self, sequence: int, position: int, tokens: Sequence[int]) -> Logits:
        """Returns the logits after the last of the tokens, of which the first is at `position`."""
        for start in range(0, len(tokens), self._batch.capacity):
            self._batch.clear()
            chunk = tokens[start : start + self._batch.capacity]
            self._batch.add(sequence, position + start, chunk, last_logits=True)
            logits: Logits = self.context.decode(self._batch)[0].copy()
        return logits

    def fresh(self, sequence: int, tokens: Sequence[int]) -> Logits:
        """Returns the logits after tokens that replace what the sequence had."""
        self.context.clear_sequence(sequence)
        return self.feed(sequence, 0, tokens)

    def is_empty(self, sequence: int) -> bool:
        """Whether nothing is left of a sequence."""
        return self.context.snapshot_bytes(sequence) == self._empty_bytes


def some_tokens(n: int, seed: int = 0) -> list[int]:
    """Tokens of the bundled model's vocabulary."""
    return [int(token) for token in np.random.default_rng(seed).integers(0, 3000, n)]


def assert_close(one: Logits, other: Logits, tolerance: float) -> None:
    np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


KINDS = ["plain", "recurrent", "window", "hybrid"]
"""Of memory that models have."""
LAYOUTS = pytest.mark.parametrize("kv_unified", [False, True], ids=["streams", "pool"])

ROUNDING = 0.01
"""Between logits from the same tokens in batches or cells of another shape or order; without flash attention, whose
sums of F16 numbers are coarser, and of weights that are not quantized: llama.cpp also rounds what it multiplies those
with to 8 bits, which makes up to 0.2 of the order of a sum, by the CPU. After another token, logits of these models
differ by 1 and more."""

TEXT = some_tokens(100)
MORE = some_tokens(5, seed=1)
OTHER = some_tokens(150, seed=2)

Load = Callable[[str], Model]
Make = Callable[..., Sequences]
