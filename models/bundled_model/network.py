"""Network: a llama with RMSNorm, interleaved RoPE, grouped-query attention, SwiGLU and tied embeddings."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Shape:
    """The hyperparameters of a network, which the GGUF header holds."""

    vocab_size: int
    context_length: int = 2048
    width: int = 256
    layers: int = 6
    heads: int = 8
    kv_heads: int = 4
    feed_forward: int = 704
    rope_base: float = 10_000.0
    norm_epsilon: float = 1e-5

    @property
    def head_width(self) -> int:
        return self.width // self.heads


def rotations(shape: Shape) -> Tensor:
    """RoPE rotations of all positions and pairs, (context_length, head_width / 2) complex64 of magnitude 1.

    RoFormer (Su et al., 2021).
    """
    pairs = torch.arange(0, shape.head_width, 2, dtype=torch.float32) / shape.head_width
    angles = torch.outer(torch.arange(shape.context_length, dtype=torch.float32), shape.rope_base**-pairs)
    return torch.polar(torch.ones_like(angles), angles)


def rotate(x: Tensor, rotation: Tensor) -> Tensor:
    """Rotates neighbouring pairs of x, (batch, heads, time, head_width) float32, by (time, head_width / 2) complex64.

    llama.cpp pairs neighbours for this architecture, so the exported rows need no permutation.
    """
    pairs = torch.view_as_complex(torch.unflatten(x, -1, (-1, 2)))
    return torch.view_as_real(pairs * rotation).flatten(-2)


class Attention(nn.Module):
    """Causal self-attention with fewer key and value heads than query heads (GQA, Ainslie et al., 2023)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.head_width = shape.head_width
        self.q = nn.Linear(shape.width, shape.heads * shape.head_width, bias=False)
        self.k = nn.Linear(shape.width, shape.kv_heads * shape.head_width, bias=False)
        self.v = nn.Linear(shape.width, shape.kv_heads * shape.head_width, bias=False)
        self.output = nn.Linear(shape.heads * shape.head_width, shape.width, bias=False)

    def forward(self, x: Tensor, rotation: Tensor) -> Tensor:
        """(batch, time, width) float32 to the same shape."""
        q, k, v = (self._heads(projection(x)) for projection in (self.q, self.k, self.v))
        attended = functional.scaled_dot_product_attention(
            rotate(q, rotation), rotate(k, rotation), v, is_causal=True, enable_gqa=True
        )
        output: Tensor = self.output(attended.transpose(1, 2).flatten(2))
        return output

    def _heads(self, x: Tensor) -> Tensor:
        return torch.unflatten(x, -1, (-1, self.head_width)).transpose(1, 2)


class FeedForward(nn.Module):
    """SwiGLU (Shazeer, 2020)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.up = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.down = nn.Linear(shape.feed_forward, shape.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, time, width) float32 to the same shape."""
        down: Tensor = self.down(functional.silu(self.gate(x)) * self.up(x))
        return down


class Block(nn.Module):
    """One layer: attention and feed-forward, each after an RMSNorm (Zhang and Sennrich, 2019), with residuals."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(shape.width, eps=shape.norm_epsilon)
        self.attention = Attention(shape)
        self.feed_forward_norm = nn.RMSNorm(shape.width, eps=shape.norm_epsilon)
        self.feed_forward = FeedForward(shape)

    def forward(self, x: Tensor, rotation: Tensor) -> Tensor:
        """(batch, time, width) float32 to the same shape."""
        attended: Tensor = x + self.attention(self.attention_norm(x), rotation)
        fed: Tensor = attended + self.feed_forward(self.feed_forward_norm(attended))
        return fed


class Network(nn.Module):
    """Token ids to logits. The embedding is also the output matrix (Press and Wolf, 2017)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocab_size, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width, eps=shape.norm_epsilon)
        self.rotation: Tensor
        self.register_buffer("rotation", rotations(shape), persistent=False)
        self.apply(self._initialize)

    def _initialize(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, Attention):
            nn.init.zeros_(module.output.weight)
        if isinstance(module, FeedForward):
            nn.init.zeros_(module.down.weight)

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, time) int64 to logits (batch, time, vocab_size) float32."""
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, self.rotation[: tokens.shape[1]])
        return functional.linear(self.norm(x), self.embedding.weight)

    def loss(self, tokens: Tensor) -> Tensor:
        """Mean cross-entropy of all tokens after the first, in nats: (batch, time + 1) int64 to a scalar float32."""
        logits = self(tokens[:, :-1])
        return functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
