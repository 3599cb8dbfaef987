"""Tower: a SigLIP vision transformer and the projector of Janus-Pro, as llama.cpp's `janus_pro` computes them."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class TowerShape:
    """The hyperparameters of a tower, which the GGUF header holds. Sizes are in pixels."""

    projection_width: int
    image_size: int = 64
    patch_size: int = 16
    width: int = 96
    feed_forward: int = 256
    layers: int = 3
    heads: int = 3
    norm_epsilon: float = 1e-6

    @property
    def tokens(self) -> int:
        """The number of embeddings that a picture becomes."""
        return (self.image_size // self.patch_size) ** 2


class TowerBlock(nn.Module):
    """One layer: attention without a mask and feed-forward, each after a LayerNorm, with residuals."""

    def __init__(self, shape: TowerShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.ln1 = nn.LayerNorm(shape.width, eps=shape.norm_epsilon)
        self.attn_q = nn.Linear(shape.width, shape.width)
        self.attn_k = nn.Linear(shape.width, shape.width)
        self.attn_v = nn.Linear(shape.width, shape.width)
        self.attn_out = nn.Linear(shape.width, shape.width)
        self.ln2 = nn.LayerNorm(shape.width, eps=shape.norm_epsilon)
        self.ffn_up = nn.Linear(shape.width, shape.feed_forward)
        self.ffn_down = nn.Linear(shape.feed_forward, shape.width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, tokens, width) float32 to the same shape."""
        normal = self.ln1(x)
        q, k, v = (
            torch.unflatten(projection(normal), -1, (self.heads, -1)).transpose(1, 2)
            for projection in (self.attn_q, self.attn_k, self.attn_v)
        )
        x = x + self.attn_out(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        fed: Tensor = x + self.ffn_down(functional.gelu(self.ffn_up(self.ln2(x)), approximate="tanh"))
        return fed


class Tower(nn.Module):
    """Pixels to embeddings of the text model."""

    def __init__(self, shape: TowerShape) -> None:
        super().__init__()
        self.shape = shape
        self.patch_embd = nn.Conv2d(3, shape.width, shape.patch_size, shape.patch_size)
        self.position_embd = nn.Parameter(torch.randn(shape.tokens, shape.width) * 0.02)
        self.blk = nn.ModuleList(TowerBlock(shape) for _ in range(shape.layers))
        self.post_ln = nn.LayerNorm(shape.width, eps=shape.norm_epsilon)
        self.mm0 = nn.Linear(shape.width, shape.projection_width)
        self.mm1 = nn.Linear(shape.projection_width, shape.projection_width)

    def features(self, pixels: Tensor) -> Tensor:
        """(batch, 3, image_size, image_size) float32 from -1 to 1 to (batch, tokens, width) float32."""
        x = self.patch_embd(pixels).flatten(2).transpose(1, 2) + self.position_embd
        for block in self.blk:
            x = block(x)
        normal: Tensor = self.post_ln(x)
        return normal

    def forward(self, pixels: Tensor) -> Tensor:
        """(batch, 3, image_size, image_size) float32 from -1 to 1 to (batch, tokens, projection_width) float32."""
        embeddings: Tensor = self.mm1(functional.gelu(self.mm0(self.features(pixels)), approximate="tanh"))
        return embeddings
