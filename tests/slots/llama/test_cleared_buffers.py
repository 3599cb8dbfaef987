"""Buffers that llama.cpp clears take no memory until they are used, and hold zeros."""

import ctypes
import sys
from collections.abc import Iterator
from typing import Any

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt
import pytest

from slots.llama import Context, Model, live_buffers, private_bytes
from slots.llama.cleared_buffers import MIN_BYTES
from slots.options import ContextOptions

N_BYTES = 2**24 + 96
"""The last page is not whole."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems are not asked to")


class HostBuffer:
    """A buffer of ggml in host memory."""

    def __init__(self, n_bytes: int) -> None:
        allocate, buffer_type = ggml("ggml_backend_buft_alloc_buffer"), ggml("ggml_backend_cpu_buffer_type")
        self._handle = ctypes.c_void_p(allocate(ctypes.c_void_p(buffer_type()), ctypes.c_size_t(n_bytes)))
        address = ggml("ggml_backend_buffer_get_base")(self._handle)
        self.data: npt.NDArray[np.uint8] = np.ctypeslib.as_array((ctypes.c_uint8 * n_bytes).from_address(address))

    def clear(self, value: int) -> None:
        ggml("ggml_backend_buffer_clear")(self._handle, ctypes.c_uint8(value))

    def close(self) -> None:
        ggml("ggml_backend_buffer_free")(self._handle)


def ggml(name: str) -> Any:
    function = getattr(lib._lib, name)
    function.restype = ctypes.c_void_p
    return function


@pytest.fixture(params=[1, MIN_BYTES, N_BYTES])
def buffer(request: pytest.FixtureRequest) -> Iterator[HostBuffer]:
    buffer = HostBuffer(request.param)
    yield buffer
    buffer.close()


@pytest.mark.parametrize("value", [0, 7])
def test_a_cleared_buffer_holds_the_value_in_every_byte(buffer: HostBuffer, value: int) -> None:
    buffer.data[:] = 255
    buffer.clear(value)
    assert (buffer.data == value).all()


def test_nothing_beside_a_buffer_is_cleared() -> None:
    buffers = [HostBuffer(MIN_BYTES + 160) for _ in range(3)]  # side by side, from malloc's heap
    for buffer in buffers:
        buffer.data[:] = 255
    buffers[1].clear(0)
    assert [buffer.data.any() for buffer in buffers] == [True, False, True]
    assert (buffers[0].data == buffers[2].data).all()
    for buffer in buffers:
        buffer.close()


def test_zeros_take_no_memory() -> None:
    buffer = HostBuffer(N_BYTES)
    buffer.data[:] = 255
    before = private_bytes() or 0
    buffer.clear(0)
    assert before - (private_bytes() or 0) > 0.9 * N_BYTES
    buffer.close()


def test_the_kv_cache_of_a_new_context_takes_no_memory(plain_model: Model) -> None:
    before, allocated = private_bytes() or 0, live_buffers().get("CPU", {}).get("kv_cache", 0)
    context = Context(plain_model, ContextOptions(n_ctx=64 * 1024, n_parallel=64))
    n_kv = live_buffers()["CPU"]["kv_cache"] - allocated
    assert n_kv > 32 * 2**20
    assert (private_bytes() or 0) - before < 0.25 * n_kv
    context.close()
