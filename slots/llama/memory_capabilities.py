"""Memory capabilities: whether a model's KV cache can be truncated, rolled back and shifted."""

import llama_cpp.llama_cpp as lib

from slots.llama.model import Model
from slots.llama.weights import Weights, read_value
from slots.options import ContextOptions

_MROPE_TYPES = frozenset({8, 40})
"""LLAMA_ROPE_TYPE_MROPE and LLAMA_ROPE_TYPE_IMROPE."""

_HADAMARD_SIZE = 64
"""llama.cpp stores quantized keys multiplied by a Hadamard matrix if the head size is a multiple of this."""


def can_truncate(model: Model) -> bool:
    """Whether a sequence can go back to any position: its memory has the keys and values of all its tokens."""
    return can_roll_back(model) and not window_size(model)


def can_roll_back(model: Model) -> bool:
    """Whether the tokens of the latest batch can be removed again: a recurrent state has them in it for good. The cells
    of a sliding window are a batch more than the window has, so that nothing that is still seen is overwritten."""
    handle = model.weights.handle
    return not (lib.llama_model_is_recurrent(handle) or lib.llama_model_is_hybrid(handle))


def window_size(model: Model) -> int:
    """Returns how many tokens back the layers with sliding-window attention see; 0 if there are none."""
    n_tokens: int = lib.llama_model_n_swa(model.weights.handle)
    return n_tokens


def uses_mrope(weights: Weights) -> bool:
    """Whether positions have several dimensions (M-RoPE): those of pictures are rows and columns."""
    return lib.llama_model_rope_type(weights.handle) in _MROPE_TYPES


def can_shift_keys(model: Model, options: ContextOptions) -> bool:
    """Whether keys can be moved to other positions in place, in the cases that llama.cpp does not check itself.

    It rotates all keys of all sequences if any are moved, the others by an angle of 0. With YaRN each rotation also
    multiplies all keys by its magnitude. BF16 keys abort the process; quantized ones crash it or become wrong, unless
    they are stored with a Hadamard matrix and rotated in all dimensions. Learned positions cannot be changed at all.
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
