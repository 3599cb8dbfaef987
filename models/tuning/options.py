"""Training options: the hyperparameters of a job, checked."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import sqrt
from typing import Any, Self

DEFAULT_SEED = 0

MODULES = {
    "q_proj": "attn_q",
    "k_proj": "attn_k",
    "v_proj": "attn_v",
    "o_proj": "attn_output",
    "gate_proj": "ffn_gate",
    "up_proj": "ffn_up",
    "down_proj": "ffn_down",
}
"""The matrices that an adapter may change: by the names of Hugging Face's models, those of GGUF files."""


@dataclass(frozen=True, slots=True)
class LoraOptions:
    """The part of PEFT's LoraConfig that a GGUF adapter can hold."""

    r: int = 8
    """Rank."""
    lora_alpha: float = 16.0
    lora_dropout: float = 0.0
    use_rslora: bool = False
    """Scale by alpha / sqrt(r) instead of alpha / r (Kalajdzievski, 2023)."""
    target_modules: tuple[str, ...] | None = None
    """Names of Hugging Face's models; None stands for all matrices of the layers."""

    def with_modules(self, names: tuple[str, ...]) -> "LoraOptions":
        return replace(self, target_modules=names)

    @property
    def scale(self) -> float:
        return self.lora_alpha / (sqrt(self.r) if self.use_rslora else self.r)

    @property
    def file_alpha(self) -> float:
        """The alpha of an adapter file, which llama.cpp divides by the rank."""
        return self.scale * self.r


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    lr: float = 2e-3
    """Peak learning rate; it decays with a cosine."""
    warmup_ratio: float = 0.03
    """Share of the steps in which the learning rate rises."""
    epochs: int = 5
    weight_decay: float = 1e-3
    batch_size: int = 8
    seed: int = DEFAULT_SEED
    report_to: str | None = None
    """"wandb" reports to Weights & Biases as well."""
    lora: LoraOptions = field(default_factory=LoraOptions)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        lora = dict(values["lora"])
        if lora["target_modules"] is not None:
            lora["target_modules"] = tuple(lora["target_modules"])
        return cls(**{**values, "lora": LoraOptions(**lora)})
