"""Projector: a file with random weights, as large as the vision transformers of real models are."""

from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

IMAGE, PATCH, WIDTH, FEED_FORWARD, LAYERS, HEADS = 224, 16, 768, 3072, 12, 12
"""SigLIP's base size: 196 patches a picture, 86 million parameters."""
POOLED = 7
"""Patches by which a pooled embedding is high and wide: 4 embeddings a picture."""


def write_projector(path: Path, n_embd: int, *, is_pooled: bool = False) -> Path:
    """Writes a projector for a model with embeddings of `n_embd` numbers: of the kind `janus_pro`, with an embedding
    for each patch, or if it is pooled of the kind `gemma3`, with few."""
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", "gemma3" if is_pooled else "janus_pro")
    writer.add_bool("clip.use_gelu", True)
    sizes = {
        "image_size": IMAGE,
        "patch_size": PATCH,
        "embedding_length": WIDTH,
        "feed_forward_length": FEED_FORWARD,
        "projection_dim": n_embd,
        "block_count": LAYERS,
        "attention.head_count": HEADS,
        **({"projector.scale_factor": POOLED} if is_pooled else {}),
    }
    for key, size in sizes.items():
        writer.add_uint32(f"clip.vision.{key}", size)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-6)
    for key in ("image_mean", "image_std"):
        writer.add_array(f"clip.vision.{key}", [0.5, 0.5, 0.5])
    for name, weights in _tensors(n_embd, is_pooled=is_pooled):
        writer.add_tensor(name, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tensors(n_embd: int, *, is_pooled: bool) -> Iterator[tuple[str, NDArray[np.float16] | NDArray[np.float32]]]:
    rng = np.random.default_rng(0)

    def matrix(*shape: int) -> NDArray[np.float16]:
        return (rng.standard_normal(shape, np.float32) * np.prod(shape[1:]) ** -0.5).astype(np.float16)

    def linear(name: str, rows: int, columns: int) -> Iterator[tuple[str, NDArray[np.float16] | NDArray[np.float32]]]:
        yield f"{name}.weight", matrix(rows, columns)
        yield f"{name}.bias", np.zeros(rows, np.float32)

    def norm(name: str) -> Iterator[tuple[str, NDArray[np.float16] | NDArray[np.float32]]]:
        yield f"{name}.weight", np.ones(WIDTH, np.float32)
        yield f"{name}.bias", np.zeros(WIDTH, np.float32)

    yield "v.patch_embd.weight", matrix(WIDTH, 3, PATCH, PATCH)
    yield "v.patch_embd.bias", np.zeros(WIDTH, np.float32)
    yield "v.position_embd.weight", matrix((IMAGE // PATCH) ** 2, WIDTH).astype(np.float32)
    for number in range(LAYERS):
        block = f"v.blk.{number}"
        for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
            yield from linear(f"{block}.{part}", WIDTH, WIDTH)
        yield from linear(f"{block}.ffn_up", FEED_FORWARD, WIDTH)
        yield from linear(f"{block}.ffn_down", WIDTH, FEED_FORWARD)
        yield from norm(f"{block}.ln1")
        yield from norm(f"{block}.ln2")
    yield from norm("v.post_ln")
    if is_pooled:
        yield "mm.soft_emb_norm.weight", np.ones(WIDTH, np.float32)
        yield "mm.input_projection.weight", matrix(WIDTH, n_embd)
        return
    yield from linear("mm.0", n_embd, WIDTH)
    yield from linear("mm.1", n_embd, n_embd)
