"""What is reduced to fit into memory."""

import pytest

from models.shape import LayerShape, ModelShape
from slots.fit import FitOptions, FreeMemory, MemoryPlan, plan_memory
from slots.options import ContextOptions

MIB, GIB = 2**20, 2**30
N_LAYERS = 10
SHAPE = ModelShape(
    architecture="llama",
    n_ctx_train=32768,
    n_vocab=1000,
    n_embd=512,
    n_ff=1024,
    n_head=8,
    n_attention=1536,
    window=0,
    layers=(LayerShape(100 * MIB, 512, 512, has_window=False, state_size=0),) * N_LAYERS,
    input_bytes=50 * MIB,
    output_bytes=50 * MIB,
    ties_output=False,
    is_decoder=True,
)
"""1.1 GB of weights, and a KV cache of 20 KiB a token: 2.5 GiB for 4 slots of the context of its training."""


def plan(host: int, *devices: int, n_layers: int | None = None, n_ctx: int = 0, **options: object) -> MemoryPlan:
    fit = FitOptions(**options)  # type: ignore[arg-type]
    return plan_memory(SHAPE, ContextOptions(n_ctx=n_ctx), n_layers, FreeMemory(host, devices), fit)


def test_what_fits_is_not_reduced() -> None:
    made = plan(16 * GIB)
    assert (made.n_ctx, made.n_gpu_layers, made.fits, made.is_reduced) == (4 * 32768, 0, True, False)


def test_the_context_is_the_largest_that_fits() -> None:
    made = plan(4 * GIB)
    assert made.fits
    assert made.is_reduced
    assert made.n_ctx % (4 * 256) == 0
    larger = plan(4 * GIB, n_ctx=made.n_ctx + 4 * 256)
    assert not larger.fits


def test_the_context_is_not_reduced_below_its_minimum() -> None:
    assert plan(1 * GIB).n_ctx == 4096
    assert plan(1 * GIB, fit_ctx=10_000).n_ctx == 10_240
    assert not plan(1 * GIB).fits


def test_a_context_that_was_set_stays() -> None:
    made = plan(2 * GIB, n_ctx=4 * 32768)
    assert (made.n_ctx, made.fits) == (4 * 32768, False)


def test_nothing_is_reduced_if_that_is_off() -> None:
    made = plan(2 * GIB, fit=False)
    assert (made.n_ctx, made.fits) == (4 * 32768, False)


def test_half_of_the_memory_is_left_for_what_lost_its_slot() -> None:
    made = plan(3 * GIB)
    assert 2 * made.host.kv_cache <= 3 * GIB


def test_all_layers_are_on_devices_with_room_for_them() -> None:
    made = plan(16 * GIB, 16 * GIB)
    assert (made.n_gpu_layers, made.n_ctx, made.fits) == (N_LAYERS + 1, 4 * 32768, True)


def test_on_devices_the_context_is_reduced_before_the_layers() -> None:
    made = plan(16 * GIB, 3 * GIB)
    assert made.n_gpu_layers == N_LAYERS + 1
    assert 4096 < made.n_ctx < 4 * 32768
    assert made.devices.total <= 2 * GIB


def test_layers_that_do_not_fit_stay_in_host_memory() -> None:
    made = plan(16 * GIB, 1536 * MIB)
    assert 0 < made.n_gpu_layers < N_LAYERS
    assert (made.n_ctx, made.fits) == (4096, True)


def test_layers_that_were_set_stay() -> None:
    made = plan(16 * GIB, 1536 * MIB, n_layers=-1)
    assert (made.n_gpu_layers, made.fits) == (N_LAYERS + 1, False)


@pytest.mark.parametrize("margins", [(2048,), (2048, 2048)])
def test_each_device_keeps_its_margin(margins: tuple[int, ...]) -> None:
    made = plan(64 * GIB, 3 * GIB, 3 * GIB, fit_target_mib=margins)
    assert made.devices.total <= 2 * GIB
    assert plan(64 * GIB, 3 * GIB, 3 * GIB, fit_target_mib=(0,)).devices.total > made.devices.total


def test_a_draft_model_takes_a_part_of_the_memory() -> None:
    draft = (SHAPE, ContextOptions())
    together = plan_memory(SHAPE, ContextOptions(), None, FreeMemory(8 * GIB), FitOptions(), draft=draft)
    assert together.host.weights == 2 * plan(8 * GIB).host.weights
    assert together.n_ctx < plan(8 * GIB).n_ctx
