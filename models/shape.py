"""Model shape: the sizes of a model's layers, from which the memory that it needs can be computed."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from models.gguf.contents import Tensor
from models.gguf.model_file import ModelFile, read_model_file, read_other_parts

_LAYER = re.compile(r"blk\.(\d+)\.(.+)")
_WINDOW_PERIODS = {
    **dict.fromkeys(("afmoe", "cohere2", "exaone-moe", "exaone4", "llama4", "mellum", "muse-glimmer", "olmo2"), 4),
    **dict.fromkeys(("gemma2", "gpt-oss"), 2),
    **dict.fromkeys(("gemma3", "gemma-embedding"), 6),
    "gemma3n": 5,
    "plamo3": 8,
}
"""Architectures with sliding windows whose headers need not say which layers have them: the last of so many has none.
As in llama.cpp."""
_DENSE_FIRST_PERIODS = {"cohere2moe": 4, "laguna": 4, "smallthinker": 4, "modern-bert": 3}
"""The same, where the first one has none."""


@dataclass(frozen=True, slots=True)
class LayerShape:
    n_bytes: int
    """Of its weights."""
    k_size: int
    v_size: int
    """Numbers that the KV cache holds for a token; 0 in a layer without attention."""
    has_window: bool
    """It attends to the last tokens only."""
    state_size: int
    """Numbers that a recurrent layer holds for a sequence; 0 in others."""


@dataclass(frozen=True, slots=True)
class ModelShape:
    architecture: str
    n_ctx_train: int
    n_vocab: int
    n_embd: int
    n_ff: int
    """The widest feed-forward layer, of all experts in use together."""
    n_head: int
    n_attention: int
    """Numbers of queries, keys and values of a token in the widest layer."""
    window: int
    """Tokens; 0 without sliding windows."""
    layers: tuple[LayerShape, ...]
    input_bytes: int
    """Weights before the layers, which stay in host memory."""
    output_bytes: int
    """Weights after them."""
    ties_output: bool
    """The output is the table of the input, and a part of both."""
    is_decoder: bool

    @property
    def n_bytes(self) -> int:
        output_bytes = 0 if self.ties_output else self.output_bytes
        return self.input_bytes + output_bytes + sum(layer.n_bytes for layer in self.layers)


def read_shape(path: Path) -> ModelShape:
    """Reads the shape of a model. `path` is its only file, or the first one. Raises ModelFileError."""
    first = read_model_file(path)
    tensors = [tensor for part in (first, *read_other_parts(first)) for tensor in part.contents.tensors]
    return _Reader(first, tensors).shape()


class _Reader:
    def __init__(self, header: ModelFile, tensors: Sequence[Tensor]) -> None:
        self._header = header
        self._architecture = header.text("general.architecture") or ""
        self._n_layer = self._integer("block_count", 0)
        self._n_embd = self._integer("embedding_length", 0)
        self._others: list[Tensor] = []
        self._layers: list[dict[str, Tensor]] = [{} for _ in range(self._n_layer)]
        for tensor in tensors:
            found = _LAYER.fullmatch(tensor.name)
            if found and int(found[1]) < self._n_layer:
                self._layers[int(found[1])][found[2]] = tensor
            else:
                self._others.append(tensor)
        self._n_head = self._per_layer("attention.head_count", 0)
        self._n_head_kv = self._per_layer("attention.head_count_kv", None) or self._n_head

    def shape(self) -> ModelShape:
        window = self._integer("attention.sliding_window", 0)
        windowed = self._windowed() if window else [False] * self._n_layer
        layers = [self._layer(number, windowed[number]) for number in range(self._n_layer)]
        tokens = [tensor for tensor in self._others if tensor.name.startswith(("token_embd.", "per_layer_token_embd."))]
        output = sum(tensor.n_bytes for tensor in self._others if tensor not in tokens)
        has_output = any(tensor.name == "output.weight" for tensor in self._others)
        return ModelShape(
            architecture=self._architecture,
            n_ctx_train=self._integer("context_length", 0),
            n_vocab=self._header.length("tokenizer.ggml.tokens") or self._integer("vocab_size", 0),
            n_embd=self._n_embd,
            n_ff=self._n_ff(),
            n_head=max(self._n_head, default=0),
            n_attention=max(map(self._n_attention, range(self._n_layer)), default=0),
            window=window if any(windowed) else 0,
            layers=tuple(layers),
            input_bytes=sum(tensor.n_bytes for tensor in tokens),
            output_bytes=output if has_output else output + _bytes(tokens[:1]),
            ties_output=not has_output,
            is_decoder=self._header.contents.metadata.get(f"{self._architecture}.attention.causal", True) is not False,
        )

    def _integer(self, key: str, default: int) -> int:
        value = self._header.integer(f"{self._architecture}.{key}")
        return default if value is None else value

    def _per_layer(self, key: str, default: int | None) -> list[int]:
        """Returns the integers of the layers, from an array or one that is the same for all; an empty list without."""
        numbers = self._header.numbers(f"{self._architecture}.{key}")
        if len(numbers) >= self._n_layer:
            return [int(number) for number in numbers[: self._n_layer]]
        value = self._header.integer(f"{self._architecture}.{key}")
        value = default if value is None else value
        return [] if value is None else [value] * self._n_layer

    def _windowed(self) -> list[bool]:
        key = "attention.sliding_window_pattern"
        flags = self._header.numbers(f"{self._architecture}.{key}")
        if len(flags) >= self._n_layer:
            return [bool(flag) for flag in flags[: self._n_layer]]
        is_dense_first = self._architecture in _DENSE_FIRST_PERIODS
        periods = _DENSE_FIRST_PERIODS if is_dense_first else _WINDOW_PERIODS
        period = self._integer(key, periods.get(self._architecture, 1))
        dense = 0 if is_dense_first else period - 1
        return [period == 0 or number % period != dense for number in range(self._n_layer)]

    def _layer(self, number: int, has_window: bool) -> LayerShape:
        tensors = self._layers[number]
        is_shared = number >= self._n_layer - self._integer("attention.shared_kv_layers", 0)
        k_size, v_size = (0, 0) if is_shared else self._kv_sizes(number)
        return LayerShape(_bytes(tensors.values()), k_size, v_size, has_window, self._state_size(tensors))

    def _kv_sizes(self, number: int) -> tuple[int, int]:
        tensors = self._layers[number]
        if "attn_kv_a_mqa.weight" in tensors:  # multi-head latent attention
            if "attn_k_b.weight" in tensors:
                return _n_rows(tensors["attn_kv_a_mqa.weight"]), 0
            return self._n_head[number] * self._head_size("key"), self._n_head[number] * self._head_size("value")
        if "attn_qkv.weight" in tensors and not _is_recurrent(tensors):
            return self._n_head_kv[number] * self._head_size("key"), self._n_head_kv[number] * self._head_size("value")
        k, v = tensors.get("attn_k.weight"), tensors.get("attn_v.weight")
        return (_n_rows(k), _n_rows(v or k)) if k else (0, 0)

    def _head_size(self, kind: str) -> int:
        return self._integer(f"attention.{kind}_length", self._n_embd // max([1, *self._n_head]))

    def _n_attention(self, number: int) -> int:
        tensors = self._layers[number]
        names = (
            "attn_q.weight",
            "attn_k.weight",
            "attn_v.weight",
            "attn_qkv.weight",
            "attn_q_b.weight",
            "ssm_in.weight",
        )
        return sum(_n_rows(tensors[name]) for name in names if name in tensors)

    def _n_ff(self) -> int:
        n_used = self._integer("expert_used_count", 0)
        widths = [0]
        for tensors in self._layers:
            width = sum(_n_rows(tensors[name]) for name in ("ffn_up.weight", "ffn_up_shexp.weight") if name in tensors)
            experts = tensors.get("ffn_up_exps.weight") or tensors.get("ffn_gate_up_exps.weight")
            widths.append(width + (n_used * _n_rows(experts) if experts else 0))
        return max(widths)

    def _state_size(self, tensors: Mapping[str, Tensor]) -> int:
        """As llama.cpp's n_embd_r and n_embd_s."""
        if any(name.startswith("time_mix_") for name in tensors):
            return self._n_embd * (self._integer("token_shift_count", 2) + self._integer("wkv.head_size", 0))
        if any(name.startswith("shortconv.") for name in tensors):
            return self._n_embd * (self._integer("shortconv.l_cache", 1) - 1)
        if not _is_recurrent(tensors):
            return 0
        inner, state = self._integer("ssm.inner_size", 0), self._integer("ssm.state_size", 0)
        groups = self._integer("ssm.group_count", 0)
        return (self._integer("ssm.conv_kernel", 1) - 1) * (inner + 2 * groups * state) + state * inner


def _is_recurrent(tensors: Iterable[str]) -> bool:
    return any(name.startswith("ssm_") for name in tensors)


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.n_bytes for tensor in tensors)


def _n_rows(tensor: Tensor) -> int:
    """Returns the number of rows of a matrix, or of each of several matrices."""
    return prod(tensor.shape[1:2])
