"""Trainers: which of the two networks trains a model with the packages that are installed."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from models.tuning.errors import TrainerMissing
from models.tuning.options import LoraOptions

if TYPE_CHECKING:
    from models.tuning.network import TrainedNetwork

LLAMA_LIKE = frozenset({"llama", "qwen2", "qwen3"})
"""What torch alone can train, if the model has no tensors that only a variant has."""
BY_TRANSFORMERS = frozenset(
    (
        *("bloom", "deci", "falcon", "gemma2", "gemma3", "gemma4", "gpt2", "gpt-oss", "lfm2", "llama", "mamba"),
        *("minimax-m2", "mistral", "nemotron", "phi3", "qwen2", "qwen2moe", "qwen3", "qwen3moe", "stablelm"),
        *("starcoder2", "t5", "umt5"),
    )
)
"""The architectures, in the words of GGUF headers, that transformers reads from GGUF files."""
INSTALL = "`pip install '.[fine-tune]'` in the project's folder installs them"


def check_trainer(architecture: str) -> None:
    """Raises TrainerMissing if no model of the architecture can be trained with what is installed. Imports nothing."""
    missing = [name for name in ("torch", "gguf") if find_spec(name) is None]
    if missing:
        raise TrainerMissing(f"fine-tuning needs the packages torch and gguf, {missing[0]} is missing: {INSTALL}")
    if architecture in LLAMA_LIKE:
        return
    if architecture not in BY_TRANSFORMERS:
        raise TrainerMissing(f"models of the architecture {architecture} cannot be fine-tuned by this server")
    _check_peft(f"models of the architecture {architecture}")


def load_network(path: Path, architecture: str, lora: LoraOptions) -> "TrainedNetwork":
    """Reads the model that is to be trained. Raises TrainerMissing."""
    if architecture in LLAMA_LIKE:
        from models.tuning.gguf_network import GgufNetwork  # noqa: PLC0415 - imports torch
        from models.tuning.gguf_weights import GgufWeights  # noqa: PLC0415
        from models.tuning.llama_network import is_llama_like  # noqa: PLC0415

        weights = GgufWeights(path)
        if is_llama_like(weights):
            return GgufNetwork(weights, lora)
    _check_peft(f"{path.name}, a variant of {architecture},")
    from models.tuning.peft_network import PeftNetwork  # noqa: PLC0415 - imports transformers

    return PeftNetwork(path, architecture, lora)


def _check_peft(what: str) -> None:
    missing = [name for name in ("transformers", "peft") if find_spec(name) is None]
    if missing:
        raise TrainerMissing(f"to fine-tune {what} takes transformers and peft, {missing[0]} is missing: {INSTALL}")
