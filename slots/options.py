"""What the engine is started with: how the model is loaded and how its context is laid out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

SplitMode = Literal["none", "layer", "row", "tensor"]
FlashAttention = Literal["on", "off", "auto"]
RopeScaling = Literal["none", "linear", "yarn"]
CacheType = Literal["f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1"]
SpecType = Literal["ngram", "draft-simple"]
"""Where guesses of the next tokens come from: the text itself, or a smaller model."""
Pooling = Literal["none", "mean", "cls", "last", "rank"]
"""How the embeddings of a text's tokens become one: not at all, their mean, the first, the last, or a score that the
model's classification head gives the text."""


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """How a GGUF file is loaded. For a split model, `path` is its first file."""

    path: Path
    n_gpu_layers: int = -1
    """Layers held in GPU memory; -1 is all of them. Without a GPU in the build it has no effect."""
    split_mode: SplitMode = "layer"
    main_gpu: int = 0
    tensor_split: tuple[float, ...] = ()
    """Share of the model for each GPU, as proportions; empty is by free memory."""
    mmap: bool = True
    mlock: bool = False


@dataclass(frozen=True, slots=True)
class ContextOptions:
    """How the llama context is laid out. A rope or yarn value of None is taken from the model."""

    n_ctx: int = 0
    """KV cells in all; 0 gives each slot the context that the model was trained with, as far as memory allows."""
    n_batch: int = 2048
    """Most tokens in one step."""
    n_ubatch: int = 512
    """Most tokens in one pass over the weights; also the prefill chunk while other slots generate."""
    n_parallel: int = 4
    """Number of slots."""
    kv_unified: bool = False
    """One pool of cells for all slots; otherwise each slot has n_ctx / n_parallel cells of its own."""
    swa_full: bool = False
    """Keep all cells of layers with a sliding window, and not only those that the window still reaches."""
    n_threads: int = 0
    """CPU threads when generating; 0 is one for each core."""
    n_threads_batch: int = 0
    """CPU threads for prefill; 0 is the same as n_threads."""
    flash_attention: FlashAttention = "auto"
    backend_sampling: bool = False
    """Find the largest logits where they are computed, and take only those from there, for requests of which they
    decide the tokens."""
    n_outputs: int | None = None
    """Most rows of logits of a batch; None is as many as the batch has tokens."""
    cache_type_k: CacheType = "f16"
    cache_type_v: CacheType = "f16"
    rope_scaling: RopeScaling | None = None
    rope_freq_base: float | None = None
    rope_freq_scale: float | None = None
    yarn_orig_ctx: int | None = None
    yarn_ext_factor: float | None = None
    yarn_attn_factor: float | None = None
    yarn_beta_slow: float | None = None
    yarn_beta_fast: float | None = None


@dataclass(frozen=True, slots=True)
class SpeculationOptions:
    """How tokens are guessed ahead."""

    spec_types: tuple[SpecType, ...] = ()
    """The first one that has a guess is taken; none guesses nothing."""
    ngram_size: int = 3
    """Fewest tokens that have to stand somewhere in the text as they do at its end."""
    ngram_draft: int = 48
    """Most tokens that are taken from there."""
    draft_file: Path | None = None
    """GGUF file of the draft model."""
    draft_n_max: int = 16
    """Most tokens that it guesses at once."""
    draft_n_min: int = 0
    """What it guesses is not used where it is less."""
    draft_p_min: float = 0.0
    """It stops where its likeliest token is less likely than this."""
    draft_gpu_layers: int = -1
    """Layers of it in GPU memory; -1 is all of them."""
    draft_threads: int | None = None
    """CPU threads; None is as many as the model has, 0 one for each core."""
    draft_cache_type_k: CacheType = "f16"
    draft_cache_type_v: CacheType = "f16"


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What the engine does, and how requests are scheduled."""

    max_queue: int = 256
    """Requests that may wait for a slot; one more is refused."""
    cache_ram_mib: int = 2048
    """Most MiB of host memory for prefixes that lost their slot; -1 is no limit, 0 keeps none."""
    context_shift: bool = False
    """Where the context of a slot ends, drop half of what may go and continue, instead of stopping there."""
    speculation: SpeculationOptions = SpeculationOptions()
    embeddings_only: bool = False
    """Generate no text, and have no slots for it."""
    pooling: Pooling | None = None
    """None is what the model's header says, else the mean. To rank is to generate no text."""
