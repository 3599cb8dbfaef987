"""Metadata overrides: values that replace those of a model's header."""

import ctypes
from collections.abc import Sequence

import llama_cpp.llama_cpp as lib

from slots.options import MetadataValue

_INT, _FLOAT, _BOOL, _STRING = 0, 1, 2, 3


def metadata_overrides(
    values: Sequence[tuple[str, MetadataValue]],
) -> "ctypes.Array[lib.llama_model_kv_override] | None":
    """Returns the overrides as llama.cpp's parameters take them, with an empty key at the end; None if there are none.
    Keys and texts have at most 127 bytes."""
    if not values:
        return None
    overrides = (lib.llama_model_kv_override * (len(values) + 1))()
    for override, (key, value) in zip(overrides, values, strict=False):
        override.key = key.encode()
        match value:
            case bool():
                override.tag, override.value.val_bool = _BOOL, value
            case int():
                override.tag, override.value.val_i64 = _INT, value
            case float():
                override.tag, override.value.val_f64 = _FLOAT, value
            case str():
                override.tag, override.value.val_str = _STRING, value.encode()
    return overrides
