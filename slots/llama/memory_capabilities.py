"""What the memory of a model can do besides growing."""

import llama_cpp.llama_cpp as lib

from slots.llama.model import Model
from slots.llama.weights import read_value
from slots.options import ContextOptions

_HADAMARD_SIZE = 64
"""llama.cpp stores quantized keys multiplied by a Hadamard matrix, if the size of a head is a multiple of this."""


def can_truncate(model: Model) -> bool:
    """Whether a sequence can go back to any earlier position, which takes keys and values of all its tokens."""
    handle = model.weights.handle
    has_state = lib.llama_model_is_recurrent(handle) or lib.llama_model_is_hybrid(handle)
    return not has_state and not has_window(model)


def has_window(model: Model) -> bool:
    """Whether some layers see only the last tokens of a sequence."""
    return bool(lib.llama_model_n_swa(model.weights.handle) > 0)


def can_shift_keys(model: Model, options: ContextOptions) -> bool:
    """Whether keys can be moved to other positions where they are, as far as llama.cpp does not say so itself.

    It rotates all keys of all sequences whenever some are to be moved, those that stay by an angle of 0. With YaRN that
    multiplies all of them by its magnitude, each time. Keys in BF16 abort the process, and quantized ones crash it, or
    come out wrong, unless they are stored with a Hadamard matrix and rotated as a whole. Where positions come from a
    table, keys have theirs in them for good.
    """
    if model.has_learned_positions or _scales_keys(model, options):
        return False
    if options.cache_type_k in ("f32", "f16"):
        return True
    n_head = max(lib.llama_model_n_head(model.weights.handle), 1)
    head_size = _metadata(model, "attention.key_length", model.info.n_embd // n_head)
    n_rotated = _metadata(model, "rope.dimension_count", head_size)
    return options.cache_type_k != "bf16" and head_size % _HADAMARD_SIZE == 0 and n_rotated == head_size


def _scales_keys(model: Model, options: ContextOptions) -> bool:
    scaling = options.rope_scaling or read_value(model.weights, "rope.scaling.type")
    mixes = options.yarn_ext_factor or 0, _metadata(model, "rope.scaling.yarn_ext_factor", 0)
    magnitudes = (
        1 if options.yarn_attn_factor is None else options.yarn_attn_factor,
        _metadata(model, "rope.scaling.yarn_attn_factor", 1),
        _metadata(model, "rope.scaling.attn_factor", 1),
    )
    return scaling == "yarn" or max(mixes) > 0 or any(magnitude != 1 for magnitude in magnitudes)


def _metadata(model: Model, name: str, default: float) -> float:
    value = read_value(model.weights, name)
    return default if value is None else float(value)
