"""Tiny models with random weights, most of them with a memory that is not a plain KV cache.

They have the bundled model's vocabulary. What they write is noise, but all that they have read has a part in it, so a
lost or foreign state shows.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader, GGUFValueType, GGUFWriter

from models.source import BUNDLED_MODEL

N_CTX_TRAIN = 4096
WINDOW = 32
"""How many tokens back a layer of the sliding-window model sees."""
HEAD_SIZE = 32

_N_EMBD, _N_FF = 64, 128
_N_INNER, _N_STATE, _N_CONV, _DT_RANK = 2 * _N_EMBD, 8, 4, 4


def write_mamba(path: Path) -> Path:
    """A recurrent model: a sequence is one state, which cannot go back. Returns the path."""
    file = _ModelFile(path, "mamba", n_layer=2)
    file.add_ssm_sizes()
    for layer in range(2):
        file.add_mamba_layer(layer)
    return file.close()


def write_sliding_window(path: Path) -> Path:
    """Layers that see the last `WINDOW` tokens alternate with layers that see all of them. Returns the path."""
    file = _ModelFile(path, "gemma2", n_layer=4)
    file.add_head_sizes([1] * 4)
    file.writer.add_sliding_window(WINDOW)
    for layer in range(4):
        file.add_attention_layer(layer)
        file.add_norm(f"blk.{layer}.post_attention_norm.weight")
        file.add_ffn(layer)
        file.add_norm(f"blk.{layer}.post_ffw_norm.weight")
    return file.close()


def write_hybrid(path: Path) -> Path:
    """A recurrent layer, then one with attention over all tokens. Returns the path."""
    file = _ModelFile(path, "jamba", n_layer=2)
    file.add_head_sizes([0, 1])
    file.add_ssm_sizes()
    file.add_mamba_layer(0)
    for name, size in (("dt", _DT_RANK), ("b", _N_STATE), ("c", _N_STATE)):
        file.add_norm(f"blk.0.ssm_{name}_norm.weight", size)
    file.add_ffn(0)
    file.add_attention_layer(1)
    file.add_ffn(1)
    return file.close()


def write_one_layer(path: Path, head_size: int = HEAD_SIZE, rope_scaling: str | None = None) -> Path:
    """A plain transformer of one layer, whose keys and values depend on nothing but token and position, so that it
    cannot tell moved tokens from computed ones. Returns the path."""
    file = _ModelFile(path, "llama", n_layer=1)
    file.add_head_sizes([1], head_size)
    if rope_scaling:
        file.writer.add_string("llama.rope.scaling.type", rope_scaling)
    file.add_attention_layer(0, head_size)
    file.add_ffn(0)
    return file.close()


def write_learned_positions(path: Path, n_ctx_train: int) -> Path:
    """A plain transformer of one layer that looks positions up in a table of `n_ctx_train`. Returns the path."""
    file = _ModelFile(path, "gpt2", n_layer=1, n_ctx_train=n_ctx_train)
    file.writer.add_layer_norm_eps(1e-5)
    file.writer.add_head_count(_N_EMBD // HEAD_SIZE)
    file.add_learned_positions(n_ctx_train)
    return file.close()


def write_ranking_decoder(path: Path) -> Path:
    """A plain transformer with a classification head, which scores a text by its last token. Returns the path."""
    file = _ModelFile(path, "qwen3", n_layer=1)
    file.add_head_sizes([1])
    file.writer.add_classifier_output_labels(["yes", "no"])
    file.add_attention_layer(0)
    for name in ("q", "k"):
        file.add_norm(f"blk.0.attn_{name}_norm.weight", HEAD_SIZE)
    file.add_ffn(0)
    file.add_classifier(2)
    return file.close()


class _ModelFile:
    def __init__(self, path: Path, architecture: str, n_layer: int, n_ctx_train: int = N_CTX_TRAIN) -> None:
        self._path = path
        self._random = np.random.default_rng(0)
        self.writer = GGUFWriter(path, architecture)
        n_vocab = self._copy_tokenizer()
        self.writer.add_context_length(n_ctx_train)
        self.writer.add_embedding_length(_N_EMBD)
        self.writer.add_feed_forward_length(_N_FF)
        self.writer.add_block_count(n_layer)
        self.writer.add_layer_norm_rms_eps(1e-6)
        self._add_matrix("token_embd.weight", n_vocab, _N_EMBD)
        self.add_norm("output_norm.weight")

    def close(self) -> Path:
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()
        return self._path

    def add_head_sizes(self, kv_heads: list[int], head_size: int = HEAD_SIZE) -> None:
        self.writer.add_head_count(_N_EMBD // head_size)
        self.writer.add_head_count_kv(kv_heads)
        self.writer.add_key_length(head_size)
        self.writer.add_value_length(head_size)

    def add_ssm_sizes(self) -> None:
        self.writer.add_ssm_conv_kernel(_N_CONV)
        self.writer.add_ssm_inner_size(_N_INNER)
        self.writer.add_ssm_state_size(_N_STATE)
        self.writer.add_ssm_time_step_rank(_DT_RANK)

    def add_attention_layer(self, layer: int, head_size: int = HEAD_SIZE) -> None:
        self.add_norm(f"blk.{layer}.attn_norm.weight")
        self._add_matrix(f"blk.{layer}.attn_q.weight", _N_EMBD, _N_EMBD)
        self._add_matrix(f"blk.{layer}.attn_k.weight", head_size, _N_EMBD)
        self._add_matrix(f"blk.{layer}.attn_v.weight", head_size, _N_EMBD)
        self._add_matrix(f"blk.{layer}.attn_output.weight", _N_EMBD, _N_EMBD)

    def add_mamba_layer(self, layer: int) -> None:
        self.add_norm(f"blk.{layer}.attn_norm.weight")
        self._add_matrix(f"blk.{layer}.ssm_in.weight", 2 * _N_INNER, _N_EMBD)
        self._add_matrix(f"blk.{layer}.ssm_conv1d.weight", _N_INNER, _N_CONV)
        self._add(f"blk.{layer}.ssm_conv1d.bias", np.zeros(_N_INNER))
        self._add_matrix(f"blk.{layer}.ssm_x.weight", _DT_RANK + 2 * _N_STATE, _N_INNER)
        self._add_matrix(f"blk.{layer}.ssm_dt.weight", _N_INNER, _DT_RANK)
        # Small steps, with which the state forgets slowly.
        self._add(f"blk.{layer}.ssm_dt.bias", np.full(_N_INNER, -3.0))
        self._add(f"blk.{layer}.ssm_a", np.tile(-np.linspace(0.1, 1, _N_STATE), (_N_INNER, 1)))
        self._add(f"blk.{layer}.ssm_d", np.ones(_N_INNER))
        self._add_matrix(f"blk.{layer}.ssm_out.weight", _N_EMBD, _N_INNER)

    def add_ffn(self, layer: int) -> None:
        self.add_norm(f"blk.{layer}.ffn_norm.weight")
        self._add_matrix(f"blk.{layer}.ffn_gate.weight", _N_FF, _N_EMBD)
        self._add_matrix(f"blk.{layer}.ffn_up.weight", _N_FF, _N_EMBD)
        self._add_matrix(f"blk.{layer}.ffn_down.weight", _N_EMBD, _N_FF)

    def add_learned_positions(self, n_positions: int) -> None:
        """A table of positions, and a layer as GPT-2 has it."""
        self._add_matrix("position_embd.weight", n_positions, _N_EMBD)
        self._add("output_norm.bias", np.zeros(_N_EMBD))
        for name in ("blk.0.attn_norm", "blk.0.ffn_norm"):
            self.add_norm(f"{name}.weight")
            self._add(f"{name}.bias", np.zeros(_N_EMBD))
        sizes = {
            "attn_qkv": (3 * _N_EMBD, _N_EMBD),
            "attn_output": (_N_EMBD, _N_EMBD),
            "ffn_up": (_N_FF, _N_EMBD),
            "ffn_down": (_N_EMBD, _N_FF),
        }
        for name, (n_rows, n_columns) in sizes.items():
            self._add_matrix(f"blk.0.{name}.weight", n_rows, n_columns)
            self._add(f"blk.0.{name}.bias", np.zeros(n_rows))

    def add_classifier(self, n_labels: int) -> None:
        self._add_matrix("cls.output.weight", n_labels, _N_EMBD)

    def add_norm(self, name: str, size: int = _N_EMBD) -> None:
        self._add(name, np.ones(size))

    def _add_matrix(self, name: str, n_rows: int, n_columns: int) -> None:
        self._add(name, self._random.standard_normal((n_rows, n_columns)) * n_columns**-0.5)

    def _add(self, name: str, values: np.ndarray[Any, np.dtype[np.float64]]) -> None:
        self.writer.add_tensor(name, values.astype(np.float32))

    def _copy_tokenizer(self) -> int:
        tokenizer = _tokenizer()
        for key, (value, kind, item_kind) in tokenizer.items():
            self.writer.add_key_value(key, value, kind, item_kind)
        return len(tokenizer["tokenizer.ggml.tokens"][0])


@cache
def _tokenizer() -> dict[str, tuple[Any, GGUFValueType, GGUFValueType | None]]:
    """By key: the value, its type, and what type its items have if it is an array."""
    return {
        key: (field.contents(), field.types[0], field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None)
        for key, field in GGUFReader(BUNDLED_MODEL).fields.items()
        if key.startswith("tokenizer.")
    }
