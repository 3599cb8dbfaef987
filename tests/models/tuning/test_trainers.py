"""Which models can be trained with the packages that are installed."""

from collections.abc import Callable

import pytest

from models.tuning import trainers
from models.tuning.errors import TrainerMissing
from models.tuning.trainers import BY_TRANSFORMERS, check_trainer


def find_only(*names: str) -> Callable[[str], object]:
    return lambda name: object() if name in names else None


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3"])
def test_torch_alone_trains_llama_like_models(architecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainers, "find_spec", find_only("torch", "gguf"))
    check_trainer(architecture)


@pytest.mark.parametrize("installed", [(), ("gguf",), ("torch",), ("transformers", "peft")])
def test_without_torch_there_is_no_trainer(installed: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainers, "find_spec", find_only(*installed))
    with pytest.raises(TrainerMissing, match=r"needs the packages torch and gguf, \w+ is missing: `pip install"):
        check_trainer("llama")


def test_other_models_take_transformers_and_peft(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainers, "find_spec", find_only("torch", "gguf", "transformers"))
    with pytest.raises(TrainerMissing, match="architecture gemma3 takes transformers and peft, peft is missing"):
        check_trainer("gemma3")
    monkeypatch.setattr(trainers, "find_spec", find_only("torch", "gguf", "transformers", "peft"))
    check_trainer("gemma3")


def test_an_architecture_that_transformers_cannot_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainers, "find_spec", lambda _: object())
    with pytest.raises(TrainerMissing, match="architecture rwkv7 cannot be fine-tuned"):
        check_trainer("rwkv7")
    assert len(BY_TRANSFORMERS) == 23
