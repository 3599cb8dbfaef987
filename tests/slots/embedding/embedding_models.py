"""Tiny models with random weights that compute embeddings and generate nothing."""

from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter, PoolingType, TokenType

N_EMBD = 32
N_CTX_TRAIN = 96
WORDS = ("once", "upon", "time", "there", "was", "fox", "dog", "panda", "bear", "sea", "the")

_N_HEAD, _N_FF, _N_LAYER = 2, 64, 2
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def write_encoder(path: Path, pooling: PoolingType | None = None, *, ranks: bool = False) -> Path:
    """A model of the BERT kind, which reads at most `N_CTX_TRAIN` tokens at once; with a classification head if it
    ranks. Returns the path."""
    writer = GGUFWriter(path, "bert")
    n_vocab = _add_tokenizer(writer)
    writer.add_context_length(N_CTX_TRAIN)
    writer.add_embedding_length(N_EMBD)
    writer.add_feed_forward_length(_N_FF)
    writer.add_block_count(_N_LAYER)
    writer.add_head_count(_N_HEAD)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    if pooling is not None:
        writer.add_pooling_type(pooling)
    tensors = _Tensors(writer)
    tensors.add_matrix("token_embd.weight", n_vocab, N_EMBD)
    tensors.add_matrix("token_types.weight", 2, N_EMBD)
    tensors.add_matrix("position_embd.weight", N_CTX_TRAIN, N_EMBD)
    tensors.add_norm("token_embd_norm")
    for layer in range(_N_LAYER):
        tensors.add_layer(f"blk.{layer}")
    if ranks:
        tensors.add_linear("cls", N_EMBD, N_EMBD)
        tensors.add_linear("cls.output", 1, N_EMBD)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: GGUFWriter) -> int:
    """WordPiece, as llama.cpp has it: what begins a word has a mark, what goes on has none."""
    marked = [f"\u2581{piece}" for piece in (*WORDS, *_LETTERS)]
    tokens = [*_SPECIAL, *marked, *_LETTERS]
    types = [TokenType.CONTROL if token in _SPECIAL else TokenType.NORMAL for token in tokens]
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("jina-v2-en")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_type_count(2)
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(1)
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(3)
    writer.add_sep_token_id(3)
    writer.add_mask_token_id(4)
    return len(tokens)


class _Tensors:
    def __init__(self, writer: GGUFWriter) -> None:
        self._writer = writer
        self._random = np.random.default_rng(0)

    def add_layer(self, name: str) -> None:
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            self.add_linear(f"{name}.{part}", N_EMBD, N_EMBD)
        self.add_norm(f"{name}.attn_output_norm")
        self.add_linear(f"{name}.ffn_up", _N_FF, N_EMBD)
        self.add_linear(f"{name}.ffn_down", N_EMBD, _N_FF)
        self.add_norm(f"{name}.layer_output_norm")

    def add_linear(self, name: str, n_rows: int, n_columns: int) -> None:
        self.add_matrix(f"{name}.weight", n_rows, n_columns)
        self._add(f"{name}.bias", 0.1 * self._random.standard_normal(n_rows))

    def add_norm(self, name: str) -> None:
        self._add(f"{name}.weight", np.ones(N_EMBD))
        self._add(f"{name}.bias", np.zeros(N_EMBD))

    def add_matrix(self, name: str, n_rows: int, n_columns: int) -> None:
        self._add(name, self._random.standard_normal((n_rows, n_columns)) * n_columns**-0.5)

    def _add(self, name: str, values: np.ndarray[Any, np.dtype[np.float64]]) -> None:
        self._writer.add_tensor(name, values.astype(np.float32))
