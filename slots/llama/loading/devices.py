"""Devices: what ggml can compute on, and the types of buffers that it holds tensors in."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import llama_cpp.llama_cpp as lib

from slots.errors import ModelLoadError

_CPU = 0
"""GGML_BACKEND_DEVICE_TYPE_CPU."""
NO_DEVICE = ("none",)


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU, or another device beside the CPU."""

    name: str
    """As ggml names it, such as CUDA0."""
    description: str
    total_bytes: int
    free_bytes: int


def find_devices() -> list[Device]:
    """Returns the devices beside the CPU."""
    return [_describe(handle) for handle in _handles() if _function("ggml_backend_dev_type")(handle) != _CPU]


def device_list(names: Sequence[str]) -> ctypes.Array[ctypes.c_void_p]:
    """Returns the devices that a model shall be computed on, as llama.cpp's parameters take them: with a null pointer
    at the end. "none" alone is the CPU. Raises ModelLoadError for an unknown name."""
    found = [] if tuple(names) == NO_DEVICE else [_handle(name) for name in names]
    return (ctypes.c_void_p * (len(found) + 1))(*found, None)


def buffer_types() -> dict[str, int]:
    """Returns the address of each type of buffer that tensors can be held in, by its name; CPU is one of them."""
    handles = (_function("ggml_backend_dev_buffer_type")(device) for device in _handles())
    return {_text("ggml_backend_buft_name", handle): handle for handle in handles if handle}


def _handle(name: str) -> int:
    handles = {_text("ggml_backend_dev_name", handle): handle for handle in _handles()}
    names = [device.name for device in find_devices()]
    if name not in names:
        raise ModelLoadError(f"-dev/--device: expected {', '.join(['none', *names])}, got {name}")
    return handles[name]


def _handles() -> list[int]:
    return [_function("ggml_backend_dev_get")(index) for index in range(_function("ggml_backend_dev_count")())]


def _describe(handle: int) -> Device:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    _function("ggml_backend_dev_memory")(handle, ctypes.byref(free), ctypes.byref(total))
    name, description = _text("ggml_backend_dev_name", handle), _text("ggml_backend_dev_description", handle)
    return Device(name, description, total.value, free.value)


def _text(function: str, handle: int) -> str:
    text: bytes = _function(function)(handle)
    return text.decode("utf-8", "replace")


_SIGNATURES: dict[str, tuple[list[Any], Any]] = {
    "ggml_backend_dev_count": ([], ctypes.c_size_t),
    "ggml_backend_dev_get": ([ctypes.c_size_t], ctypes.c_void_p),
    "ggml_backend_dev_type": ([ctypes.c_void_p], ctypes.c_int),
    "ggml_backend_dev_name": ([ctypes.c_void_p], ctypes.c_char_p),
    "ggml_backend_dev_description": ([ctypes.c_void_p], ctypes.c_char_p),
    "ggml_backend_dev_memory": (
        [ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)],
        None,
    ),
    "ggml_backend_dev_buffer_type": ([ctypes.c_void_p], ctypes.c_void_p),
    "ggml_backend_buft_name": ([ctypes.c_void_p], ctypes.c_char_p),
}


def _function(name: str) -> Any:  # noqa: ANN401 - a C function
    """Returns a function of ggml, which the bindings leave out: it is in a library that llama.cpp's is linked with."""
    function = getattr(lib._lib, name)
    function.argtypes, function.restype = _SIGNATURES[name]
    return function
