import logging

import pytest

from slots.engine.contexts import default_n_ctx
from slots.llama import ModelInfo

INFO = ModelInfo(
    description="a model",
    n_params=1,
    size_bytes=1,
    n_ctx_train=1000,
    n_embd=1,
    n_layer=1,
    n_vocab=1,
    kv_bytes_per_token=10,
)
PLENTY = 10**9


def test_each_slot_gets_the_trained_context() -> None:
    assert default_n_ctx(INFO, 4, kv_unified=False, memory_bytes=PLENTY) == 4000


def test_slots_that_share_a_pool_share_one_trained_context() -> None:
    assert default_n_ctx(INFO, 4, kv_unified=True, memory_bytes=PLENTY) == 1000


def test_the_cache_takes_no_more_than_half_of_the_memory_and_a_warning_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        assert default_n_ctx(INFO, 4, kv_unified=False, memory_bytes=40_000) == 2000
    assert "--ctx-size" in caplog.text
