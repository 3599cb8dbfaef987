"""Estimate: the memory that a model and its context will need, computed from the header."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from models.shape import LayerShape, ModelShape
from slots.options import CacheType, ContextOptions

PAD = 256
"""llama.cpp rounds the cells of a sequence up to a multiple of it."""
BYTES_PER_32 = {
    "f32": 128,
    "f16": 64,
    "bf16": 64,
    "q8_0": 34,
    "q4_0": 18,
    "q4_1": 20,
    "iq4_nl": 18,
    "q5_0": 22,
    "q5_1": 24,
}
"""Of 32 numbers in the KV cache."""
WIDTHS_AT_ONCE = 6
"""Vectors as wide as the model that are held for a token besides those of the layer that is computed."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes in one kind of memory."""

    weights: int = 0
    kv_cache: int = 0
    recurrent_state: int = 0
    compute: int = 0
    projector: int = 0
    """Of pictures and sounds: its weights and buffers."""

    @property
    def total(self) -> int:
        return self.weights + self.kv_cache + self.recurrent_state + self.compute + self.projector

    def __add__(self, other: "Estimate") -> "Estimate":
        return Estimate(
            self.weights + other.weights,
            self.kv_cache + other.kv_cache,
            self.recurrent_state + other.recurrent_state,
            self.compute + other.compute,
            self.projector + other.projector,
        )


def estimate(shape: ModelShape, options: ContextOptions, n_gpu_layers: int = 0) -> tuple[Estimate, Estimate]:
    """Returns what is needed of host memory, and of the devices' memory if so many layers, counted from the last one,
    are there. A context of 0 is the one of the training for each slot. The layer after the last one is the output."""
    options = with_n_ctx(options, shape)
    n_on_device = min(max(n_gpu_layers, 0), len(shape.layers) + 1)
    has_output = n_on_device > 0
    n_layers_there = max(n_on_device - 1, 0)
    split = len(shape.layers) - n_layers_there
    here, there = shape.layers[:split], shape.layers[split:]
    kv_there = there if options.kv_offload else ()
    kv_here = here if options.kv_offload else shape.layers
    host = Estimate(
        # A model that has its output in common with its input holds it twice only if they are in different memory.
        weights=shape.input_bytes + _bytes(here) + (0 if has_output else _own_output_bytes(shape)),
        kv_cache=_kv_cache_bytes(shape, kv_here, options),
        recurrent_state=_state_bytes(kv_here, options),
        compute=_compute_bytes(shape, options) if not has_output or here else _mask_bytes(shape, options),
    )
    device = Estimate(
        weights=_bytes(there) + (shape.output_bytes if has_output else 0),
        kv_cache=_kv_cache_bytes(shape, kv_there, options),
        recurrent_state=_state_bytes(kv_there, options),
        compute=_compute_bytes(shape, options) if has_output else 0,
    )
    return host, device


def with_n_ctx(options: ContextOptions, shape: ModelShape) -> ContextOptions:
    """Returns the options with a number of cells as llama.cpp will have it."""
    n_sequences = 1 if options.kv_unified else options.n_parallel
    n_ctx = options.n_ctx or shape.n_ctx_train * n_sequences
    return replace(options, n_ctx=n_sequences * padded(max(n_ctx // n_sequences, 1)))


def padded(n_cells: int) -> int:
    return -(-n_cells // PAD) * PAD


def _bytes(layers: Iterable[LayerShape]) -> int:
    return sum(layer.n_bytes for layer in layers)


def _own_output_bytes(shape: ModelShape) -> int:
    return 0 if shape.ties_output else shape.output_bytes


def _n_streams(options: ContextOptions) -> int:
    return 1 if options.kv_unified else options.n_parallel


def _n_cells(shape: ModelShape, options: ContextOptions, *, has_window: bool) -> int:
    """Returns the cells of a stream in layers with or without a window."""
    n_cells = options.n_ctx // _n_streams(options)
    if not has_window or options.swa_full:
        return n_cells
    n_sequences = options.n_parallel if options.kv_unified else 1
    return padded(min(n_cells, shape.window * n_sequences + options.n_ubatch))


def _kv_cache_bytes(shape: ModelShape, layers: Sequence[LayerShape], options: ContextOptions) -> int:
    total = 0
    for layer in layers:
        n_cells = _n_streams(options) * _n_cells(shape, options, has_window=layer.has_window)
        total += n_cells * _row_bytes(layer.k_size, options.cache_type_k)
        total += n_cells * _row_bytes(layer.v_size, options.cache_type_v)
    return total


def _row_bytes(n_numbers: int, cache_type: CacheType) -> int:
    return n_numbers * BYTES_PER_32[cache_type] // 32


def _state_bytes(layers: Iterable[LayerShape], options: ContextOptions) -> int:
    return 4 * options.n_parallel * sum(layer.state_size for layer in layers)


def _compute_bytes(shape: ModelShape, options: ContextOptions) -> int:
    """Returns the size of what is held while an ubatch is computed: the widest vectors of each token, the masks, the
    scores of all heads without flash attention, and the logits."""
    n_tokens = min(options.n_ubatch, options.n_batch)
    width = max(2 * shape.n_ff, shape.n_attention) + WIDTHS_AT_ONCE * shape.n_embd
    scores = 0
    if options.flash_attention == "off":
        scores = 4 * shape.n_head * n_tokens * _n_cells(shape, options, has_window=False)
    n_outputs = options.n_parallel if options.n_outputs is None else options.n_outputs
    return 4 * n_tokens * width + _mask_bytes(shape, options) + scores + 2 * 4 * n_outputs * shape.n_vocab


def _mask_bytes(shape: ModelShape, options: ContextOptions) -> int:
    kinds = {layer.has_window for layer in shape.layers if layer.k_size}
    n_cells = sum(_n_cells(shape, options, has_window=kind) for kind in kinds)
    bytes_per_cell = 4 if options.flash_attention == "off" else 2
    return bytes_per_cell * min(options.n_ubatch, options.n_batch) * n_cells
