"""A model with a vocabulary of any size and without tokens: small, quick to load, its logits are noise."""

from pathlib import Path

import numpy as np
from gguf import GGUFWriter

_N_EMBD, _N_FF, _N_HEAD, _N_CTX = 32, 32, 2, 256


def write_model(path: Path, n_vocab: int) -> None:
    """Writes a GGUF file with random weights."""
    random = np.random.default_rng(0)
    writer = GGUFWriter(path, "llama")
    writer.add_vocab_size(n_vocab)
    writer.add_tokenizer_model("no_vocab")
    writer.add_context_length(_N_CTX)
    writer.add_embedding_length(_N_EMBD)
    writer.add_feed_forward_length(_N_FF)
    writer.add_block_count(1)
    writer.add_head_count(_N_HEAD)
    writer.add_head_count_kv(_N_HEAD)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(_N_EMBD // _N_HEAD)
    square, wide = (_N_EMBD, _N_EMBD), (_N_FF, _N_EMBD)
    shapes = {
        "token_embd": (n_vocab, _N_EMBD),
        "output_norm": (_N_EMBD,),
        "blk.0.attn_norm": (_N_EMBD,),
        "blk.0.ffn_norm": (_N_EMBD,),
        **{f"blk.0.attn_{part}": square for part in ("q", "k", "v", "output")},
        **{"blk.0.ffn_gate": wide, "blk.0.ffn_up": wide, "blk.0.ffn_down": (_N_EMBD, _N_FF)},
    }
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", random.standard_normal(shape, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
