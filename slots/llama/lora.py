"""LoRA adapters: loads them into a model, and lets contexts compute with them."""

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from weakref import WeakSet

import llama_cpp.llama_cpp as lib

from slots.errors import ModelLoadError
from slots.llama.log import forget_errors, last_error
from slots.llama.weights import Weights

SWITCH_SECONDS_PER_LAYER = 0.00025
"""With other adapters llama.cpp plans its computation again; measured on one core."""

Scales = Sequence[tuple[int, float]]
"""Numbers of adapters with their scales."""


class LoraAdapters:
    """The adapters that are loaded into a model, by number. A model has one list of them that its contexts read, so
    after the contexts are made this belongs to their thread, the engine's."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._handles: dict[int, Any] = {}
        """Pointers. Those that are left are freed with the model."""
        self._appliers: WeakSet[AdapterApplier] = WeakSet()

    def load(self, number: int, path: Path) -> None:
        """Load an adapter from a GGUF file. Raises ModelLoadError if llama.cpp refuses it, ValueError if the number is
        taken."""
        if number in self._handles:
            raise ValueError(f"there is an adapter {number} already")
        forget_errors()
        handle = lib.llama_adapter_lora_init(self._weights.handle, os.fsencode(path))
        if not handle:
            raise ModelLoadError(f"llama.cpp cannot load the adapter {path}: {last_error()}")
        self._handles[number] = handle

    def unload(self, number: int) -> None:
        """Free an adapter, which contexts may have applied. Raises ValueError if there is no such adapter."""
        self._check([(number, 0.0)])
        for applier in self._appliers:
            applier.forget(number)
        lib.llama_adapter_lora_free(self._handles.pop(number))

    def make_applier(self, context: Any) -> "AdapterApplier":  # noqa: ANN401 - a pointer
        """Returns what applies adapters to a context, until `close`."""
        applier = AdapterApplier(context, self)
        self._appliers.add(applier)
        return applier

    def release(self, applier: "AdapterApplier") -> None:
        """Called before the context of an applier is freed."""
        self._appliers.discard(applier)

    def pointers(self, scales: Scales) -> list[Any]:
        """Returns the pointers of adapters. Raises ValueError for a number without one."""
        self._check(scales)
        return [self._handles[number] for number, _ in scales]

    def _check(self, scales: Scales) -> None:
        for number, _ in scales:
            if number not in self._handles:
                raise ValueError(f"there is no adapter {number}")


class AdapterApplier:
    """Applies adapters to one context. A change makes its next decode slower (SWITCH_SECONDS_PER_LAYER)."""

    def __init__(self, context: Any, adapters: LoraAdapters) -> None:  # noqa: ANN401 - a pointer
        self._context = context
        self._adapters = adapters
        self._applied: Scales = ()

    def apply(self, scales: Scales) -> None:
        """Let the next batches be computed with these adapters and no others. Raises ValueError for an unknown one."""
        if scales == self._applied:
            return
        pointers, n_adapters = self._adapters.pointers(scales), len(scales)
        lib.llama_set_adapters_lora(
            self._context,
            (lib.llama_adapter_lora_p_ctypes * n_adapters)(*pointers),
            n_adapters,
            (ctypes.c_float * n_adapters)(*(scale for _, scale in scales)),
        )
        self._applied = scales

    def forget(self, number: int) -> None:
        """Apply none if an adapter, which is freed next, is among them."""
        if any(number == applied for applied, _ in self._applied):
            self.apply(())

    def close(self) -> None:
        """Called before the context is freed."""
        self._adapters.release(self)
