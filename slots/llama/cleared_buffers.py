"""Cleared buffers: zeros take no memory until they are used.

llama.cpp fills the KV cache of a new context with zeros, by which all of it becomes resident, also the cells that no
text will reach. Linux gives pages of zeros when they are first touched. So a buffer in host memory is cleared here by
giving its pages back, which is faster, too.
"""

import ctypes
import mmap
import sys
from typing import Any

import llama_cpp.llama_cpp as lib

MIN_BYTES = 2**18
"""Smaller buffers are filled with zeros."""

_Allocate = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
"""Takes a buffer type and a number of bytes, and returns a buffer."""
_Clear = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint8)
"""Fills a buffer with a byte."""


class _BufferType(ctypes.Structure):
    """The beginning of ggml's struct ggml_backend_buffer_type. Functions are addresses: as fields of their own type
    they would follow the struct when it changes."""

    _fields_ = (("get_name", ctypes.c_void_p), ("allocate", ctypes.c_void_p))


class _Buffer(ctypes.Structure):
    """The beginning of ggml's struct ggml_backend_buffer."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("free", "get_base", "init_tensor", "memset_tensor", "set_tensor")),
        *((name, ctypes.c_void_p) for name in ("get_tensor", "set_tensor_2d", "get_tensor_2d", "copy_tensor")),
        *((name, ctypes.c_void_p) for name in ("clear", "reset", "buffer_type", "context")),
        ("size", ctypes.c_size_t),
    )


class PageClearing:
    """Replaces how the buffers of ggml's buffer type for host memory are cleared. Lives as long as the process."""

    def __init__(self) -> None:
        self._type = _function("ggml_backend_cpu_buffer_type")()
        functions = _BufferType.from_address(self._type)
        self._allocate = _Allocate(functions.allocate)
        self._fill: Any = None
        """ggml's own way, the same for all of these buffers."""
        self._madvise = ctypes.CDLL(None).madvise
        self._madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        self._get_base = _function("ggml_backend_buffer_get_base")
        self._callbacks = _Allocate(self._make_buffer), _Clear(self._clear)
        functions.allocate = ctypes.cast(self._callbacks[0], ctypes.c_void_p)

    def _make_buffer(self, buffer_type: int, n_bytes: int) -> int | None:
        handle: int | None = self._allocate(buffer_type, n_bytes)
        if handle and n_bytes >= MIN_BYTES:
            buffer = _Buffer.from_address(handle)
            # Otherwise this is not the struct of this version of ggml.
            if buffer.buffer_type == self._type and buffer.size == n_bytes and buffer.clear:
                self._fill = self._fill or _Clear(buffer.clear)
                buffer.clear = ctypes.cast(self._callbacks[1], ctypes.c_void_p)
        return handle

    def _clear(self, handle: int, value: int) -> None:
        address, n_bytes = self._get_base(handle), _Buffer.from_address(handle).size
        first = -(-address // mmap.PAGESIZE) * mmap.PAGESIZE
        end = (address + n_bytes) // mmap.PAGESIZE * mmap.PAGESIZE
        # Pages that are locked in memory cannot be given back.
        if value or self._madvise(first, end - first, mmap.MADV_DONTNEED):
            self._fill(handle, value)
            return
        ctypes.memset(address, 0, first - address)
        ctypes.memset(end, 0, address + n_bytes - end)


def _function(name: str) -> Any:  # noqa: ANN401 - a C function
    """Returns a function of ggml, which the bindings leave out, that takes a pointer or nothing and returns one."""
    function = getattr(lib._lib, name)
    function.argtypes, function.restype = None, ctypes.c_void_p
    return lambda *pointers: function(*map(ctypes.c_void_p, pointers))


PAGE_CLEARING = PageClearing() if sys.platform == "linux" else None
