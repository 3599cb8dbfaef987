"""The estimate, against what llama.cpp allocates."""

import gc
from collections.abc import Callable
from pathlib import Path

import pytest

from models.shape import read_shape
from models.source import BUNDLED_MODEL
from slots.engine import Engine
from slots.fit import estimate
from slots.llama import live_buffers
from slots.options import ContextOptions, EngineOptions, ModelOptions
from tests.slots.llama.tiny_models import write_hybrid, write_mamba, write_one_layer, write_sliding_window

MIB = 2**20
ROUNDING = 0.02 * MIB
"""llama.cpp's log has hundredths of a MiB, of each buffer."""
COMPUTE_TOLERANCE = 0.2
COMPUTE_FIXED = MIB
MODELS: dict[str, Callable[[Path], Path]] = {
    "plain": lambda _: BUNDLED_MODEL,
    "one layer": write_one_layer,
    "sliding window": write_sliding_window,
    "recurrent": write_mamba,
    "hybrid": write_hybrid,
}


def allocated(path: Path, options: ContextOptions) -> dict[str, int]:
    """Returns what a loaded model and its context have, in bytes by kind."""
    gc.collect()  # engines of earlier tests
    before = totals()
    engine = Engine.load(ModelOptions(path), options, EngineOptions(warmup=False), lambda _: None)
    after = totals()
    engine.stop()
    return {kind: n_bytes - before.get(kind, 0) for kind, n_bytes in after.items()}


def totals() -> dict[str, int]:
    total: dict[str, int] = {}
    for kinds in live_buffers().values():
        for kind, n_bytes in kinds.items():
            total[kind] = total.get(kind, 0) + n_bytes
    return total


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    "options",
    [
        ContextOptions(n_ctx=4096, n_parallel=2),
        ContextOptions(n_ctx=8000, n_parallel=3, n_ubatch=128),
        ContextOptions(n_ctx=8192, n_parallel=2, kv_unified=True, flash_attention="off"),
        ContextOptions(n_ctx=16384, n_parallel=1, cache_type_k="f32", cache_type_v="f32", swa_full=True),
    ],
)
def test_the_estimate_is_what_is_allocated(tmp_path: Path, name: str, options: ContextOptions) -> None:
    path = MODELS[name](tmp_path / "model.gguf")
    host, devices = estimate(read_shape(path), options)
    real = allocated(path, options)
    assert devices.total == 0
    assert host.weights == pytest.approx(real["model"], abs=ROUNDING)
    assert host.kv_cache == pytest.approx(real.get("kv_cache", 0), abs=2 * ROUNDING)
    assert host.recurrent_state == pytest.approx(real.get("recurrent_state", 0), abs=2 * ROUNDING)
    assert host.compute == pytest.approx(real["compute"], rel=COMPUTE_TOLERANCE, abs=COMPUTE_FIXED)


def test_a_quantized_cache_is_estimated_by_its_blocks() -> None:
    options = ContextOptions(n_ctx=4096, n_parallel=2, cache_type_k="q8_0", cache_type_v="q8_0")
    host, _ = estimate(read_shape(BUNDLED_MODEL), options)
    assert host.kv_cache == pytest.approx(allocated(BUNDLED_MODEL, options)["kv_cache"], abs=ROUNDING)


def test_layers_on_a_device_take_their_weights_and_cache_with_them() -> None:
    shape, options = read_shape(BUNDLED_MODEL), ContextOptions(n_ctx=4096)
    alone, _ = estimate(shape, options)
    splits = [estimate(shape, options, n_layers) for n_layers in range(len(shape.layers) + 2)]
    assert splits[0][0] == alone
    assert [device.weights for _, device in splits] == sorted({device.weights for _, device in splits})
    assert {host.kv_cache + device.kv_cache for host, device in splits} == {alone.kv_cache}
    assert splits[-1][0].kv_cache == 0
    assert splits[-1][0].weights == shape.input_bytes
    kept_here, _ = estimate(shape, ContextOptions(n_ctx=4096, kv_offload=False), 3)
    assert kept_here.kv_cache == alone.kv_cache
