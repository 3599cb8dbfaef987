"""GgufNetwork: a llama-like model with LoRA matrices, on the tensors of its GGUF file."""

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

from models.tuning.gguf_weights import GgufWeights
from models.tuning.llama_network import LlamaNetwork
from models.tuning.lora import LoraLinear
from models.tuning.network import IGNORED, Pair
from models.tuning.options import LoraOptions


class GgufNetwork:
    """Computes in float32 with all tensors in memory."""

    def __init__(self, weights: GgufWeights, lora: LoraOptions) -> None:
        self._network = LlamaNetwork(weights, lora)

    @property
    def module(self) -> nn.Module:
        return self._network

    def loss(self, tokens: Tensor, labels: Tensor) -> Tensor:
        hidden = self._network.hidden(tokens)
        # Only the logits of responses are computed: a large vocabulary costs more than the layers.
        is_response = labels != IGNORED
        return functional.cross_entropy(self._network.logits(hidden[is_response]), labels[is_response], reduction="sum")

    def pairs(self) -> Mapping[str, Pair]:
        found: dict[str, Pair] = {}
        for name, module in self._network.named_modules():
            if isinstance(module, LoraLinear) and module.lora_a is not None and module.lora_b is not None:
                a, b = (matrix.detach().float().cpu().numpy() for matrix in (module.lora_a, module.lora_b))
                found[f"{name.replace('blocks.', 'blk.')}.weight"] = a, b
        return found
