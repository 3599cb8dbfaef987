"""Options of the engine: model, context, speculation, queue."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

SplitMode = Literal["none", "layer", "row", "tensor"]
LoadMode = Literal["auto", "none", "mmap", "mlock", "mmap+mlock", "dio"]
LazyMode = Literal["off", "auto", "on"]
NumaStrategy = Literal["distribute", "isolate", "numactl"]
MetadataValue = int | float | bool | str
FlashAttention = Literal["on", "off", "auto"]
RopeScaling = Literal["none", "linear", "yarn"]
CacheType = Literal["f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1"]
SpecType = Literal["ngram", "draft-simple"]
"""What drafts tokens: n-grams of the text itself, or a smaller model."""
Pooling = Literal["none", "mean", "cls", "last", "rank"]
"""How the embeddings of a text's tokens are combined; "rank" is the score of the model's classification head."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the weights of a model are held."""

    devices: tuple[str, ...] | None = None
    """Names of GPUs as ggml has them, or "none" alone for the CPU; None means all of them."""
    tensor_overrides: tuple[tuple[str, str], ...] = ()
    """Regular expressions for names of tensors, each with the type of buffer for those."""
    cpu_moe: bool = False
    """Keep the weights of experts in host memory."""
    n_cpu_moe: int = 0
    """Keep those of the first layers there."""
    n_cpu_ffn: int = 0
    """Keep the weights of dense feed-forward networks of the first layers there."""


@dataclass(frozen=True, slots=True)
class ModelOptions:
    path: Path
    """The first file of a split model."""
    n_gpu_layers: int = -1
    """Layers held in GPU memory; -1 means all. No effect in a build without GPU support."""
    split_mode: SplitMode = "layer"
    main_gpu: int = 0
    tensor_split: tuple[float, ...] = ()
    """Share of the model on each GPU, as proportions; empty means by free memory."""
    placement: Placement = Placement()
    mmap: bool = True
    mlock: bool = False
    load_mode: LoadMode | None = None
    """None means as mmap and mlock say."""
    lazy_mode: LazyMode = "auto"
    """Read tables of which few rows are needed when they are; "auto" those above 4 GiB."""
    numa: NumaStrategy | None = None
    metadata_overrides: tuple[tuple[str, MetadataValue], ...] = ()
    """Keys of the header, with the values that replace its own."""
    check_tensors: bool = False
    """Refuse a file with numbers that are not finite."""
    repack: bool = True
    """Arrange the weights as the CPU's fastest kernels want them."""
    no_host: bool = False
    """Do not hold weights in memory that a GPU can read, so that they can be repacked."""


@dataclass(frozen=True, slots=True)
class ContextOptions:
    """The layout of the llama context. A rope or yarn value of None is taken from the model."""

    n_ctx: int = 0
    """KV cells in total; 0 gives each slot the model's training context, or less if memory is short."""
    n_batch: int = 2048
    n_ubatch: int = 512
    """Maximum tokens in one pass over the weights, and of prefill in a step that also generates."""
    n_parallel: int = 4
    kv_unified: bool = False
    """One pool of cells for all slots; otherwise each slot has its own n_ctx / n_parallel cells."""
    kv_offload: bool = True
    """Hold the KV cache where the layers are computed, and not in host memory."""
    op_offload: bool = True
    """Compute large batches of layers in host memory on the GPU as well."""
    swa_full: bool = False
    """Keep all cells of sliding-window layers, not only those in the window."""
    n_threads: int = 0
    """CPU threads of a step; 0 chooses the fastest number for each step."""
    n_threads_batch: int = 0
    """CPU threads of a step of more than one token; 0 means n_threads."""
    flash_attention: FlashAttention = "auto"
    backend_sampling: bool = False
    """Let llama.cpp find the top-k logits, for requests that need no others."""
    n_outputs: int | None = None
    """Maximum rows of logits of a batch; None means n_batch."""
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

    def with_outputs(self, n_outputs: int) -> "ContextOptions":
        return replace(self, n_outputs=n_outputs)

    def with_cache_types(self, k: CacheType, v: CacheType) -> "ContextOptions":
        return replace(self, cache_type_k=k, cache_type_v=v)


@dataclass(frozen=True, slots=True)
class SpeculationOptions:
    spec_types: tuple[SpecType, ...] = ()
    """In the order of preference; empty means off."""
    ngram_size: int = 3
    """Minimum number of tokens at the end of the text that must occur earlier in it."""
    ngram_draft: int = 48
    draft_file: Path | None = None
    draft_n_max: int = 16
    draft_n_min: int = 0
    """Shorter drafts of the draft model are not used."""
    draft_p_min: float = 0.0
    """The draft ends before a token with a lower probability."""
    draft_placement: Placement = Placement()
    draft_gpu_layers: int = -1
    draft_threads: int | None = None
    """CPU threads of the draft model; None means as the main model, 0 chooses the fastest number for each
    step."""
    draft_cache_type_k: CacheType = "f16"
    draft_cache_type_v: CacheType = "f16"


@dataclass(frozen=True, slots=True)
class MediaOptions:
    path: Path | None = None
    """The projector (mmproj file) that makes embeddings of pictures and sounds; None takes only text."""
    offload: bool = True
    """Compute it on a GPU, if there is one."""
    device: str | None = None
    """The GPU by ggml's name, or "none"; None means the first one."""
    n_threads: int = 0
    """CPU threads of an encode; 0 leaves half of the cores to the streams that go on."""
    image_min_tokens: int = -1
    """Of a picture, with projectors that take any size; -1 is what the projector says."""
    image_max_tokens: int = -1
    max_pixels: int = 32_000_000
    """Width times height of a picture."""
    max_seconds: int = 600
    """Of a sound."""
    max_bytes: int = 20 * 1024 * 1024
    """Of a file."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    max_queue: int = 256
    """Requests that may wait for a slot; further ones are refused."""
    cache_ram_mib: int = 2048
    """MiB of host memory for parked sequences; -1 means no limit, 0 parks none."""
    context_shift: bool = False
    """When the context of a slot is full, discard half of it and continue, instead of stopping."""
    speculation: SpeculationOptions = SpeculationOptions()
    lora: tuple[tuple[Path, float], ...] = ()
    """Files of LoRA adapters, with their scales."""
    lora_init_without_apply: bool = False
    """Load these adapters for requests that ask for them, and apply none to others."""
    warmup: bool = True
    """Compute something when the model is loaded, so that the first request need not wait for it."""
    watchdog_seconds: float | None = None
    """How long a step may take before the engine counts as stuck; None means ten times as long as the longest one that
    is to be expected."""
    embeddings_only: bool = False
    pooling: Pooling | None = None
    """None means the pooling in the model's header, else mean. With "rank" no text is generated."""
    media: MediaOptions = MediaOptions()
