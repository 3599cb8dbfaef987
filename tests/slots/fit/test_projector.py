"""What a projector takes of memory."""

import re
from dataclasses import replace
from pathlib import Path

import llama_cpp.llama_cpp as lib
import llama_cpp.mtmd_cpp as mtmd
import pytest

from benchmarks.media import projector_file
from models.projector_shape import EncoderShape, ProjectorShape, read_projector_shape
from models.source import BUNDLED_MODEL, BUNDLED_PROJECTOR
from slots.fit import Estimate, FitOptions, FreeMemory, plan_memory, projector_bytes
from slots.llama import Model
from slots.llama.log import log_callback
from slots.options import ContextOptions, ModelOptions
from tests.slots.fit.test_fit import GIB, MIB, SHAPE
from tests.slots.multimodal.projectors import needs_tools, projector

N_EMBD = 128
"""Of the bundled model."""


def allocated(path: Path) -> int:
    """Returns the bytes of the buffers that libmtmd allocates for the largest picture, by its log."""
    lines: list[str] = []
    log = lib.llama_log_callback(lambda _level, text, _data: lines.append(text.decode()))
    params = mtmd.mtmd_context_params_default()
    params.use_gpu, params.warmup, params.n_threads = False, True, 1
    model = Model(ModelOptions(BUNDLED_MODEL), lambda _share: None)
    mtmd.mtmd_helper_log_set(log, None)
    try:
        handle = mtmd.mtmd_init_from_file(str(path).encode(), model.weights.handle, params)
        assert handle
        mtmd.mtmd_free(handle)
    finally:
        mtmd.mtmd_helper_log_set(log_callback, None)
    sizes = re.findall(r"compute buffer size = +([\d.]+) MiB", "".join(lines))
    return round(sum(map(float, sizes)) * MIB)


@pytest.mark.parametrize(("image", "patch", "width"), [(448, 14, 96), (224, 8, 192)])
def test_the_estimate_is_what_is_allocated(
    image: int, patch: int, width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"IMAGE": image, "PATCH": patch, "WIDTH": width, "FEED_FORWARD": 4 * width, "LAYERS": 2, "HEADS": 2}
    for name, size in sizes.items():
        monkeypatch.setattr(projector_file, name, size)
    path = projector_file.write_projector(tmp_path / "mmproj.gguf", N_EMBD)
    shape = read_projector_shape(path)
    assert shape.n_bytes == pytest.approx(path.stat().st_size, rel=0.01)
    assert projector_bytes(shape) - shape.n_bytes == pytest.approx(allocated(path), rel=0.03)


def test_the_bundled_projector_takes_what_its_file_has_and_buffers() -> None:
    n_bytes = projector_bytes(read_projector_shape(BUNDLED_PROJECTOR))
    assert BUNDLED_PROJECTOR.stat().st_size * 0.95 < n_bytes < 2 * BUNDLED_PROJECTOR.stat().st_size


@needs_tools
def test_one_for_sounds_too_has_two_encoders_of_which_the_larger_counts() -> None:
    shape = read_projector_shape(projector("gemma4uv+gemma4ua"))
    assert len(shape.encoders) == 2
    alone = [projector_bytes(replace(shape, encoders=(each,))) for each in shape.encoders]
    assert projector_bytes(shape) == max(alone)


@needs_tools
def test_pictures_of_any_size_may_be_as_large_as_the_flag_allows() -> None:
    path = projector("qwen2vl_merger")
    (usual,), (large,) = read_projector_shape(path).encoders, read_projector_shape(path, 4096).encoders
    assert large.n_positions == 4 * 4096 > usual.n_positions


def test_the_context_leaves_room_for_the_projector() -> None:
    needed = Estimate(projector=projector_bytes(ProjectorShape(GIB, (EncoderShape(4096, 588, 1024, 4096),))))
    free = FreeMemory(4 * GIB)
    without = plan_memory(SHAPE, ContextOptions(), None, free, FitOptions())
    beside = plan_memory(SHAPE, ContextOptions(), None, free, FitOptions(), projector=(needed, Estimate()))
    assert beside.fits
    assert beside.n_ctx < without.n_ctx
    assert beside.host.projector == needed.projector > GIB


def test_a_projector_on_a_device_leaves_room_for_fewer_layers() -> None:
    needed, free = Estimate(projector=GIB), FreeMemory(64 * GIB, (3 * GIB,))
    context = ContextOptions(n_ctx=4096)
    without = plan_memory(SHAPE, context, None, replace(free, devices=(2 * GIB,)), FitOptions())
    beside = plan_memory(SHAPE, context, None, free, FitOptions(), projector=(Estimate(), needed))
    assert beside.n_gpu_layers == without.n_gpu_layers < len(SHAPE.layers) + 1
    assert (beside.host.projector, beside.devices.projector) == (0, GIB)
