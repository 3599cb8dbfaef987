"""LoRA: a frozen matrix and a trained change of low rank (Hu et al., 2021)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.tuning.options import LoraOptions


class LoraLinear(nn.Module):
    """x W^T + bias + scale * dropout(x) A^T B^T. B is zero at first, so training starts from the model as it is."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None, options: LoraOptions | None) -> None:
        """`weight` is (out, in) float32. Without options the matrix stays as it is."""
        super().__init__()
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("bias", bias, persistent=False)
        self.lora_a: nn.Parameter | None = None
        self.lora_b: nn.Parameter | None = None
        if options is not None:
            n_out, n_in = weight.shape
            self.lora_a = nn.Parameter(torch.empty(options.r, n_in))
            self.lora_b = nn.Parameter(torch.zeros(n_out, options.r))
            nn.init.kaiming_uniform_(self.lora_a, a=5**0.5)
            self._scale, self._dropout = options.scale, options.lora_dropout

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) float32 to (..., out) float32."""
        y = functional.linear(x, self.weight, self.bias)
        if self.lora_a is None or self.lora_b is None:
            return y
        dropped = functional.dropout(x, self._dropout, self.training)
        return y + functional.linear(functional.linear(dropped, self.lora_a), self.lora_b) * self._scale
