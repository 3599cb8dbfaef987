"""Llama network: the forward pass of llama-like models on the tensors of a GGUF file, in llama.cpp's layout."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.tuning.gguf_weights import GgufWeights
from models.tuning.lora import LoraLinear
from models.tuning.options import MODULES, LoraOptions

HALVES = frozenset({"qwen2", "qwen3"})
"""Architectures that rotate the first half of a head against the second; llama rotates neighbours."""
ARCHITECTURES = HALVES | {"llama"}

BIASES = ("attn_q.bias", "attn_k.bias", "attn_v.bias", "attn_output.bias")
BLOCK_TENSORS = {*(f"{name}.weight" for name in MODULES.values()), *BIASES} | {
    "attn_norm.weight",
    "ffn_norm.weight",
    "attn_q_norm.weight",
    "attn_k_norm.weight",
}
OTHER_TENSORS = {"token_embd.weight", "output_norm.weight", "output.weight", "rope_freqs.weight"}


def is_llama_like(weights: GgufWeights) -> bool:
    """Whether this network computes what llama.cpp does for the model: it knows all its tensors, and its rotations."""
    if weights.architecture not in ARCHITECTURES or weights.value("rope.scaling.type", "none") != "none":
        return False
    parts = {name.split(".", 2)[2] for name in weights.names if name.startswith("blk.")}
    others = {name for name in weights.names if not name.startswith("blk.")}
    return parts <= BLOCK_TENSORS and others <= OTHER_TENSORS


@dataclass(frozen=True, slots=True)
class Shape:
    n_layer: int
    n_head: int
    n_head_kv: int
    head_width: int
    n_rot: int
    """The part of a head that is rotated."""
    rope_base: float
    epsilon: float
    rotates_halves: bool

    @classmethod
    def of(cls, weights: GgufWeights) -> Self:
        n_head = int(weights.value("attention.head_count"))
        width = int(weights.value("attention.key_length", weights.value("embedding_length") // n_head))
        return cls(
            n_layer=int(weights.value("block_count")),
            n_head=n_head,
            n_head_kv=int(weights.value("attention.head_count_kv", n_head)),
            head_width=width,
            n_rot=int(weights.value("rope.dimension_count", width)),
            rope_base=float(weights.value("rope.freq_base", 10_000.0)),
            epsilon=float(weights.value("attention.layer_norm_rms_epsilon")),
            rotates_halves=weights.architecture in HALVES,
        )


class Rotation:
    """Rotary position embedding (RoFormer, Su et al., 2021)."""

    def __init__(self, shape: Shape, factors: Tensor | None) -> None:
        """`factors`, (n_rot / 2,) float32, divide the frequencies."""
        exponents = torch.arange(0, shape.n_rot, 2, dtype=torch.float32) / shape.n_rot
        self._frequencies = shape.rope_base**-exponents / (1.0 if factors is None else factors)
        self._n_rot, self._halves = shape.n_rot, shape.rotates_halves

    def tables(self, n_tokens: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Returns cosines and sines, (n_tokens, n_rot / 2) float32."""
        angles = torch.outer(torch.arange(n_tokens, dtype=torch.float32), self._frequencies).to(device)
        return angles.cos(), angles.sin()

    def apply(self, x: Tensor, tables: tuple[Tensor, Tensor]) -> Tensor:
        """Rotates (batch, heads, time, head_width) float32."""
        (cos, sin), rotated, rest = tables, x[..., : self._n_rot], x[..., self._n_rot :]
        if self._halves:
            a, b = rotated.chunk(2, dim=-1)
            turned = torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
        else:
            a, b = rotated[..., 0::2], rotated[..., 1::2]
            turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
        return torch.cat((turned, rest), dim=-1)


class Norm(nn.Module):
    """RMSNorm (Zhang and Sennrich, 2019) with frozen weights."""

    weight: Tensor

    def __init__(self, weight: Tensor, epsilon: float) -> None:
        super().__init__()
        self.register_buffer("weight", weight, persistent=False)
        self._epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, self.weight.shape, self.weight, self._epsilon)


class BlockTensors:
    """The tensors of one layer."""

    def __init__(self, weights: GgufWeights, layer: int, lora: LoraOptions) -> None:
        self._weights = weights
        self._prefix = f"blk.{layer}."
        self._lora = lora
        self._targets = {MODULES[name] for name in lora.target_modules or MODULES}

    def find(self, name: str) -> Tensor | None:
        name = self._prefix + name
        return torch.from_numpy(self._weights.tensor(name)) if name in self._weights.names else None

    def linear(self, name: str) -> LoraLinear:
        weight = self.find(f"{name}.weight")
        assert weight is not None
        return LoraLinear(weight, self.find(f"{name}.bias"), self._lora if name in self._targets else None)

    def norm(self, name: str, epsilon: float) -> Norm | None:
        weight = self.find(f"{name}.weight")
        return None if weight is None else Norm(weight, epsilon)


class Block(nn.Module):
    """One layer: causal attention with grouped heads, and SwiGLU (Shazeer, 2020), each after a norm."""

    def __init__(self, tensors: BlockTensors, shape: Shape, rotation: Rotation) -> None:
        super().__init__()
        self._shape, self._rotation = shape, rotation
        self.attn_norm, self.ffn_norm = (tensors.norm(name, shape.epsilon) for name in ("attn_norm", "ffn_norm"))
        self.attn_q_norm, self.attn_k_norm = (
            tensors.norm(name, shape.epsilon) for name in ("attn_q_norm", "attn_k_norm")
        )
        self.attn_q, self.attn_k, self.attn_v = (tensors.linear(name) for name in ("attn_q", "attn_k", "attn_v"))
        self.attn_output = tensors.linear("attn_output")
        self.ffn_gate, self.ffn_up, self.ffn_down = (tensors.linear(n) for n in ("ffn_gate", "ffn_up", "ffn_down"))

    def forward(self, x: Tensor, tables: tuple[Tensor, Tensor]) -> Tensor:
        """(batch, time, width) float32 to the same shape."""
        assert self.attn_norm is not None and self.ffn_norm is not None
        x = x + self._attend(self.attn_norm(x), tables)
        normed = self.ffn_norm(x)
        gated = functional.silu(self.ffn_gate(normed)) * self.ffn_up(normed)
        fed: Tensor = x + self.ffn_down(gated)
        return fed

    def _attend(self, x: Tensor, tables: tuple[Tensor, Tensor]) -> Tensor:
        shape = self._shape
        q = self._heads(self.attn_q(x), shape.n_head)
        k, v = (self._heads(linear(x), shape.n_head_kv) for linear in (self.attn_k, self.attn_v))
        q = q if self.attn_q_norm is None else self.attn_q_norm(q)
        k = k if self.attn_k_norm is None else self.attn_k_norm(k)
        q, k = (self._rotation.apply(each, tables) for each in (q, k))
        attended = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        output: Tensor = self.attn_output(attended.transpose(1, 2).flatten(2))
        return output

    def _heads(self, x: Tensor, n_heads: int) -> Tensor:
        return torch.unflatten(x, -1, (n_heads, -1)).transpose(1, 2)


class LlamaNetwork(nn.Module):
    """Token ids to hidden states, and these to logits. Only the LoRA matrices are parameters."""

    embedding: Tensor
    output: Tensor

    def __init__(self, weights: GgufWeights, lora: LoraOptions) -> None:
        super().__init__()
        shape = Shape.of(weights)
        factors = weights.tensor("rope_freqs.weight") if "rope_freqs.weight" in weights.names else None
        self._rotation = Rotation(shape, None if factors is None else torch.from_numpy(factors))
        embedding = torch.from_numpy(weights.tensor("token_embd.weight"))
        is_tied = "output.weight" not in weights.names
        output = embedding if is_tied else torch.from_numpy(weights.tensor("output.weight"))
        self.register_buffer("embedding", embedding, persistent=False)
        self.register_buffer("output", output, persistent=False)
        blocks = (Block(BlockTensors(weights, n, lora), shape, self._rotation) for n in range(shape.n_layer))
        self.blocks = nn.ModuleList(blocks)
        self.norm = Norm(torch.from_numpy(weights.tensor("output_norm.weight")), shape.epsilon)

    def hidden(self, tokens: Tensor) -> Tensor:
        """(batch, time) int64 to (batch, time, width) float32."""
        tables = self._rotation.tables(tokens.shape[1], tokens.device)
        x = functional.embedding(tokens, self.embedding)
        for block in self.blocks:
            x = block(x, tables)
        normed: Tensor = self.norm(x)
        return normed

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., width) float32 to (..., vocabulary) float32."""
        return functional.linear(hidden, self.output)
