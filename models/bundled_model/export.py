"""Export: writes a network and its tokenizer as a GGUF file. As a program it exports a checkpoint."""

import argparse
import json
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from models.bundled_model.checkpoint import load_checkpoint
from models.bundled_model.network import Network, Shape
from models.bundled_model.tokenizer import (
    CHAT_TEMPLATE,
    END_OF_TEXT,
    FILE_SEP,
    FIM_MIDDLE,
    FIM_PAD,
    FIM_PREFIX,
    FIM_SUFFIX,
    IM_END,
    LLAMA_CPP_PRE_TOKENIZER,
    REPO_NAME,
    SPECIAL_TOKENS,
)

NAME = "llama-slots bundled"
LICENCE = "MIT"
Q8_0_BLOCK = 32

TENSOR_NAMES = {
    "embedding": "token_embd",
    "norm": "output_norm",
    "attention_norm": "attn_norm",
    "attention.q": "attn_q",
    "attention.k": "attn_k",
    "attention.v": "attn_v",
    "attention.output": "attn_output",
    "feed_forward_norm": "ffn_norm",
    "feed_forward.gate": "ffn_gate",
    "feed_forward.up": "ffn_up",
    "feed_forward.down": "ffn_down",
}


def tensor_name(parameter: str) -> str:
    """llama.cpp's name of a parameter of the network."""
    path = parameter.removesuffix(".weight")
    if path.startswith("blocks."):
        _, block, part = path.split(".", 2)
        return f"blk.{block}.{TENSOR_NAMES[part]}.weight"
    return f"{TENSOR_NAMES[path]}.weight"


def add_header(writer: gguf.GGUFWriter, shape: Shape) -> None:
    """Adds the general metadata and the shape of the network."""
    writer.add_name(NAME)
    writer.add_license(LICENCE)
    writer.add_context_length(shape.context_length)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    writer.add_vocab_size(shape.vocab_size)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    ids = tokenizer.get_vocab()
    tokens = sorted(ids, key=ids.__getitem__)
    control = set(SPECIAL_TOKENS)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(LLAMA_CPP_PRE_TOKENIZER)
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL if t in control else gguf.TokenType.NORMAL for t in tokens])
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_bos_token_id(ids[END_OF_TEXT])
    writer.add_eos_token_id(ids[END_OF_TEXT])
    writer.add_eot_token_id(ids[IM_END])
    writer.add_pad_token_id(ids[END_OF_TEXT])
    writer.add_add_bos_token(False)
    for kind, token in {
        "pre": FIM_PREFIX,
        "suf": FIM_SUFFIX,
        "mid": FIM_MIDDLE,
        "pad": FIM_PAD,
        "rep": REPO_NAME,
        "sep": FILE_SEP,
    }.items():
        writer.add_uint32(f"tokenizer.ggml.fim_{kind}_token_id", ids[token])
    writer.add_chat_template(CHAT_TEMPLATE)


def add_tensor(writer: gguf.GGUFWriter, name: str, weights: NDArray[np.float32]) -> None:
    """Adds a matrix as Q8_0 if its rows are a multiple of the block size, anything else as F32."""
    if weights.ndim == 2 and weights.shape[1] % Q8_0_BLOCK == 0:
        q8_0 = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(name, gguf.quants.quantize(weights, q8_0), raw_dtype=q8_0)
    else:
        writer.add_tensor(name, weights)


def export(network: Network, tokenizer: Tokenizer, path: Path) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    add_header(writer, network.shape)
    add_tokenizer(writer, tokenizer)
    for parameter, weights in network.state_dict().items():
        add_tensor(writer, tensor_name(parameter), weights.float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("models/bundled.gguf"))
    arguments = parser.parse_args()
    export(*load_checkpoint(arguments.checkpoint), arguments.out)


if __name__ == "__main__":
    main()
