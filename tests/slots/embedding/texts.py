"""Texts to embed, and how their vectors are compared."""

from collections.abc import Callable

import numpy as np
import pytest

from slots.embedding.pooling import Embedding
from slots.embedding.request import EmbeddingRequest
from tests.slots.engine_runner import EngineRunner

TEXTS = tuple(
    tuple((17 * n + start) % 3000 for n in range(length)) for start, length in enumerate((3, 40, 130, 9, 300))
)
SHORT_TEXTS = tuple(
    tuple((7 * n + start) % 60 + 5 for n in range(length)) for start, length in enumerate((3, 9, 60, 96))
)

EXACT = {"cache_type_k": "f32", "cache_type_v": "f32"}
"""Keys and values that are not rounded."""

MakeEngine = Callable[..., EngineRunner]


async def embed(runner: EngineRunner, *texts: tuple[int, ...]) -> list[Embedding]:
    return await runner.engine.embed(EmbeddingRequest(texts))


def assert_close(one: Embedding, other: Embedding, tolerance: float = 1e-4) -> None:
    assert one.shape == other.shape
    assert one.dtype == other.dtype == np.float32
    assert np.abs(one - other).max() <= tolerance * np.abs(other).max()


def assert_alike(one: Embedding, other: Embedding) -> None:
    """Of the bundled model: its numbers are packed, which makes more of each rounding."""
    cosine = float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
    assert cosine == pytest.approx(1, abs=1e-3)
