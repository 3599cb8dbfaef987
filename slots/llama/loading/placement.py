"""Tensor placement: which tensors are held in which type of buffer, whatever the layers on the GPU."""

import ctypes
from collections.abc import Sequence

import llama_cpp.llama_cpp as lib

from slots.errors import ModelLoadError
from slots.llama.loading.devices import buffer_types
from slots.options import Placement

_EXPERTS = r"\.ffn_(up|down|gate|gate_up)_(ch|)exps"
"""The weights of experts, by llama.cpp's names of tensors."""
_DENSE = r"\.ffn_(up|down|gate)\."
_HOST_BUFFER = "CPU"


class _Override(ctypes.Structure):
    """struct llama_model_tensor_buft_override."""

    _fields_ = (("pattern", ctypes.c_char_p), ("buft", ctypes.c_void_p))


def tensor_overrides(placement: Placement) -> ctypes.Array[_Override] | None:
    """Returns the buffer type for each pattern of names, as llama.cpp's parameters take them; None if there are none.
    The first pattern that fits a tensor counts. Raises ModelLoadError."""
    pairs = _patterns(placement)
    if not pairs:
        return None
    _check_number(pairs)
    types = buffer_types()
    overrides = (_Override * (len(pairs) + 1))()
    for override, (pattern, name) in zip(overrides, pairs, strict=False):
        if name not in types:
            raise ModelLoadError(f"-ot/--override-tensor: expected a buffer of {', '.join(types)}, got {name}")
        override.pattern, override.buft = pattern.encode(), types[name]
    return overrides


def _patterns(placement: Placement) -> list[tuple[str, str]]:
    pairs = list(placement.tensor_overrides)
    if placement.cpu_moe:
        pairs.append((_EXPERTS, _HOST_BUFFER))
    for n_layers, kind in ((placement.n_cpu_moe, _EXPERTS), (placement.n_cpu_ffn, _DENSE)):
        pairs += [(rf"blk\.{layer}{kind}", _HOST_BUFFER) for layer in range(n_layers)]
    return pairs


def _check_number(pairs: Sequence[tuple[str, str]]) -> None:
    maximum = lib.llama_max_tensor_buft_overrides() - 1
    if len(pairs) > maximum:
        raise ModelLoadError(f"at most {maximum} patterns of tensors can have a buffer of their own, not {len(pairs)}")
