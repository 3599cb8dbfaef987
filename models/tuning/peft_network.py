"""PeftNetwork: a model that transformers reads from its GGUF file, with LoRA matrices by PEFT."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import gguf
import numpy as np
import torch
from numpy.typing import NDArray
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from models.gguf.model_file import part_paths
from models.tuning.errors import TuningError
from models.tuning.gguf_weights import GgufWeights
from models.tuning.network import IGNORED, Pair
from models.tuning.options import LoraOptions

Matrix = NDArray[np.float32]
Rows = Callable[[Matrix], Matrix]
"""Puts the rows of a matrix of transformers in the order of the GGUF file."""
TOLERANCE = 1e-3
"""Between a weight in transformers and in the GGUF file, which may be rounded to 16 bits on the way."""


@dataclass(frozen=True, slots=True)
class Target:
    """A matrix that an adapter can change."""

    module: str
    """Its name in transformers."""
    tensor: str
    """Its name in the GGUF file."""
    rows: Rows


class PeftNetwork:
    def __init__(self, path: Path, architecture: str, lora: LoraOptions) -> None:
        """Raises TuningError if transformers cannot read the model, or for modules that it has not."""
        if len(part_paths(path)) > 1:
            raise TuningError("transformers reads no models that are split into several files")
        try:
            model = AutoModelForCausalLM.from_pretrained(str(path.parent), gguf_file=path.name, dtype=torch.float32)
        except (ValueError, NotImplementedError, KeyError) as error:
            raise TuningError(f"transformers cannot read this model: {error}") from None
        targets = _choose(list(_find_targets(model, GgufWeights(path), architecture)), lora)
        self._targets = {target.module: target for target in targets}
        config = LoraConfig(
            r=lora.r,
            lora_alpha=cast(int, lora.lora_alpha),  # any number, whatever its type says
            lora_dropout=lora.lora_dropout,
            use_rslora=lora.use_rslora,
            target_modules=[target.module for target in targets],
            task_type="CAUSAL_LM",
        )
        self._model: nn.Module = get_peft_model(model, config)

    @property
    def module(self) -> nn.Module:
        return self._model

    def loss(self, tokens: Tensor, labels: Tensor) -> Tensor:
        # Padding is at the end, where no earlier token sees it.
        logits = self._model(input_ids=tokens, use_cache=False).logits
        is_response = labels != IGNORED
        return functional.cross_entropy(logits[is_response].float(), labels[is_response], reduction="sum")

    def pairs(self) -> Mapping[str, Pair]:
        found: dict[str, Pair] = {}
        for name, module in self._model.named_modules():
            target = self._targets.get(name.removeprefix("base_model.model."))
            if target is not None:
                lora: Any = module
                a, b = (part["default"].weight.detach().float().cpu().numpy() for part in (lora.lora_A, lora.lora_B))
                found[target.tensor] = a, target.rows(b)
        return found


def _find_targets(model: nn.Module, weights: GgufWeights, architecture: str) -> Iterator[Target]:
    """Yields the matrices of the layers that are the same in both, but perhaps for the order of their rows. Those that
    one of them joins or splits, such as the experts of a mixture, are left out."""
    names = gguf.get_tensor_name_map(_architecture_number(architecture), int(weights.value("block_count")))
    heads = [int(np.max(weights.value(f"attention.{key}", 1))) for key in ("head_count", "head_count_kv")]
    for module_name, module in model.named_modules():
        if not isinstance(module, nn.Linear | Conv1D):
            continue
        tensor = f"{names.get_name(module_name)}.weight"
        if not tensor.startswith("blk.") or tensor not in weights.names:
            continue
        weight = module.weight.T if isinstance(module, Conv1D) else module.weight
        rows = _find_order(weight.detach().float().numpy(), weights.tensor(tensor), heads)
        if rows is not None:
            yield Target(module_name, tensor, rows)


def _find_order(here: Matrix, there: Matrix, heads: list[int]) -> Rows | None:
    """Returns what turns the rows of `here` into those of `there`: nothing, or the order for llama.cpp's rotation of
    neighbours, by one of these numbers of heads. None if they are different matrices."""
    orders: list[Rows] = [lambda matrix: matrix, *(_interleaving(n) for n in heads if here.shape[0] % (2 * n) == 0)]
    same = here.shape == there.shape
    return next((order for order in orders if same and np.allclose(order(here), there, atol=TOLERANCE)), None)


def _interleaving(n_heads: int) -> Rows:
    def interleave(matrix: Matrix) -> Matrix:
        split = matrix.reshape(n_heads, 2, matrix.shape[0] // n_heads // 2, *matrix.shape[1:])
        return split.swapaxes(1, 2).reshape(matrix.shape)

    return interleave


def _architecture_number(architecture: str) -> gguf.MODEL_ARCH:
    return next(number for number, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)


def _choose(targets: list[Target], lora: LoraOptions) -> list[Target]:
    """Returns the targets that the options name. Raises TuningError for a name of none."""
    known = sorted({target.module.rpartition(".")[2] for target in targets})
    if not known:
        raise TuningError("no matrix of this model can be changed by an adapter in GGUF format")
    for name in lora.target_modules or ():
        if name not in known:
            raise TuningError(f"peft_config.target_modules: expected some of {', '.join(known)}, got {name}")
    names = lora.target_modules or known
    return [target for target in targets if target.module.rpartition(".")[2] in names]
