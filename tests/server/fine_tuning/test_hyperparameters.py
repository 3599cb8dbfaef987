"""read_hyperparameters: the words of LLM Engine, PEFT and OpenAI for one training."""

from typing import Any

import pytest

from models.tuning.options import LoraOptions, TrainingOptions
from server.fine_tuning.hyperparameters import check_modules, read_hyperparameters
from slots.errors import InvalidRequest


def error_of(**fields: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read_hyperparameters(fields)
    return str(caught.value)


def test_the_defaults_are_those_of_the_document() -> None:
    options = read_hyperparameters({})
    assert (options.lr, options.warmup_ratio, options.epochs, options.weight_decay) == (2e-3, 0.03, 5, 0.001)


def test_values_may_be_strings() -> None:
    as_text = {"lr": "2e-3", "epochs": "3", "peft_config": '{"r": "4", "use_rslora": "True"}', "batch_size": " 2 "}
    expected = TrainingOptions(epochs=3, batch_size=2, lora=LoraOptions(r=4, use_rslora=True))
    assert read_hyperparameters(as_text) == expected


def test_openai_has_other_names() -> None:
    options = read_hyperparameters({"n_epochs": 3, "learning_rate_multiplier": 0.5, "batch_size": "auto"})
    assert (options.epochs, options.lr, options.batch_size) == (3, 1e-3, TrainingOptions().batch_size)


def test_a_lora_config_is_that_of_peft() -> None:
    config = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.05, "target_modules": ["q_proj"], "bias": "none"}
    options = read_hyperparameters({"peft_config": {**config, "task_type": "CAUSAL_LM", "modules_to_save": None}})
    assert options.lora == LoraOptions(16, 32, 0.05, target_modules=("q_proj",))
    assert read_hyperparameters({"peft_config": {"target_modules": "all-linear"}}).lora == LoraOptions()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epochs": 20}, "hyperparameters.epochs: expected an integer from 1 to 19, got 20"),
        ({"n_epochs": 0}, "hyperparameters.n_epochs: expected an integer from 1 to 19, got 0"),
        ({"lr": "fast"}, 'hyperparameters.lr: expected a number, got "fast"'),
        ({"lr": 0}, "hyperparameters.lr: expected a number above 0, up to 1, got 0"),
        ({"warmup_ratio": 2}, "hyperparameters.warmup_ratio: expected a number from 0 to 1, got 2"),
        ({"optimizer": "sgd"}, "hyperparameters.optimizer: expected one of lr, "),
        ({"report_to": "mlflow"}, 'hyperparameters.report_to: expected wandb or none, got "mlflow"'),
        ({"peft_config": 3}, "hyperparameters.peft_config: expected an object as of PEFT's LoraConfig, got 3"),
        ({"peft_config": {"r": 0}}, "hyperparameters.peft_config.r: expected an integer from 1 to 512, got 0"),
        ({"peft_config": {"bias": "all"}}, "hyperparameters.peft_config.bias: expected none, since an adapter"),
        ({"peft_config": {"init": 1}}, "hyperparameters.peft_config.init: expected one of r, lora_alpha"),
        ({"peft_config": {"target_modules": [1]}}, "hyperparameters.peft_config.target_modules: expected names of"),
    ],
)
def test_an_error_names_the_member(fields: dict[str, Any], message: str) -> None:
    assert error_of(**fields).startswith(message)


def test_modules_may_have_the_names_of_gguf_files() -> None:
    assert check_modules(True, LoraOptions(target_modules=("attn_q", "up_proj"))).target_modules == (
        "q_proj",
        "up_proj",
    )
    assert check_modules(False, LoraOptions(target_modules=("c_attn",))).target_modules == ("c_attn",)
    with pytest.raises(InvalidRequest, match=r"target_modules: expected some of q_proj, .*, got c_attn"):
        check_modules(True, LoraOptions(target_modules=("c_attn",)))


def test_the_scale_is_that_of_peft() -> None:
    assert LoraOptions(r=4, lora_alpha=8).scale == 2
    assert LoraOptions(r=4, lora_alpha=8, use_rslora=True).scale == 4
    assert LoraOptions(r=4, lora_alpha=8, use_rslora=True).file_alpha / 4 == 4
