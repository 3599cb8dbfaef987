"""Hyperparameters: what requests may say about a training, in the words of LLM Engine, PEFT and OpenAI."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal

import orjson
from pydantic import AliasChoices, BeforeValidator, Field

from models.tuning.options import MODULES, LoraOptions, TrainingOptions
from server.http.fields import preview
from server.http.request_model import RequestBody
from slots.errors import InvalidRequest
from slots.requests.params import Boolean, Integer, Number, Takes, expected, get_spellings

DEFAULTS = TrainingOptions()
AUTO = "auto"
"""OpenAI's word for a default."""


def _parse_text(value: object) -> object:
    """LLM Engine's client may send all values as strings."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value.strip().lower())
    except orjson.JSONDecodeError:
        return value


NO_SUCH = "since an adapter in GGUF format has no"

FromText = BeforeValidator(_parse_text)
"""First of the validators, though the last in an annotation."""


def _read_modules(value: object) -> tuple[str, ...] | None:
    if value == "all-linear":
        return None
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not names or not all(isinstance(name, str) and name for name in names):
        raise expected('names of modules such as q_proj, or "all-linear"')
    return tuple(names)


class LoraConfig(RequestBody):
    """The part of PEFT's LoraConfig that an adapter in GGUF format can hold; other members may have only the value that
    leaves them out."""

    r: Annotated[Integer, FromText] = Field(DEFAULTS.lora.r, ge=1, le=512, description="rank")
    lora_alpha: Annotated[Number, FromText, Takes("a number above 0, up to 4096")] = Field(
        DEFAULTS.lora.lora_alpha, gt=0.0, le=4096.0, description="the change is multiplied by `lora_alpha / r`"
    )
    lora_dropout: Annotated[Number, FromText] = Field(0.0, ge=0.0, le=0.9, description="dropout of its input")
    use_rslora: Annotated[Boolean, FromText] = Field(False, description="multiply by `lora_alpha / sqrt(r)` instead")
    target_modules: Annotated[Any, Takes("names, or all-linear"), BeforeValidator(_read_modules)] = Field(
        None, description="matrices to change, such as q_proj and v_proj; all of the layers by default"
    )
    peft_type: Annotated[Literal["LORA"], Takes("LORA")] = Field("LORA", description="nothing else is supported")
    task_type: Annotated[Literal["CAUSAL_LM"], Takes("CAUSAL_LM")] = Field("CAUSAL_LM", description="as above")
    bias: Annotated[Literal["none"], Takes(f"none, {NO_SUCH} biases")] = Field("none", description="as above")
    use_dora: Annotated[Literal[False], Takes(f"false, {NO_SUCH} magnitudes")] = Field(False, description="as above")
    fan_in_fan_out: Annotated[Literal[False], Takes("false")] = Field(False, description="as above")
    inference_mode: Annotated[Literal[False], Takes("false")] = Field(False, description="as above")

    def options(self) -> LoraOptions:
        return LoraOptions(self.r, self.lora_alpha, self.lora_dropout, self.use_rslora, self.target_modules)


class Hyperparameters(RequestBody):
    lr: Annotated[Number, FromText, Takes("a number above 0, up to 1")] = Field(
        DEFAULTS.lr,
        gt=0.0,
        le=1.0,
        validation_alias=AliasChoices("lr", "learning_rate"),
        description="peak learning rate, which then decays with a cosine",
    )
    learning_rate_multiplier: Annotated[Number, FromText, Takes("a number above 0, up to 100")] = Field(
        1.0, gt=0.0, le=100.0, description="factor of `lr`, as in OpenAI's requests"
    )
    warmup_ratio: Annotated[Number, FromText] = Field(
        DEFAULTS.warmup_ratio, ge=0.0, le=1.0, description="share of the steps in which the learning rate rises"
    )
    epochs: Annotated[Integer, FromText] = Field(
        DEFAULTS.epochs,
        ge=1,
        le=19,
        validation_alias=AliasChoices("epochs", "n_epochs"),
        description="how often all rows are seen",
    )
    weight_decay: Annotated[Number, FromText] = Field(
        DEFAULTS.weight_decay, ge=0.0, le=1.0, description="weight decay of AdamW"
    )
    batch_size: Annotated[Integer, FromText] = Field(DEFAULTS.batch_size, ge=1, le=1024, description="rows of a step")
    seed: Annotated[Integer, FromText] = Field(
        DEFAULTS.seed, ge=0, description="of the order of rows, the validation rows and the first weights"
    )
    peft_config: Annotated[Any, Takes("an object as of PEFT's LoraConfig")] = Field(
        None, description="members of PEFT's LoraConfig: r, lora_alpha, lora_dropout, target_modules, use_rslora"
    )
    report_to: Annotated[Literal["wandb", "none"], Takes("wandb or none")] = Field(
        "none", description="wandb = report the metrics to Weights & Biases as well"
    )


def read_hyperparameters(fields: Mapping[str, Any]) -> TrainingOptions:
    """Returns the options of a training. Raises InvalidRequest for a wrong value, and for a member that is unknown."""
    given = {name: value for name, value in fields.items() if value is not None and value != AUTO}
    parsed = _parse(Hyperparameters, "hyperparameters", given)
    return TrainingOptions(
        lr=parsed.lr * parsed.learning_rate_multiplier,
        warmup_ratio=parsed.warmup_ratio,
        epochs=parsed.epochs,
        weight_decay=parsed.weight_decay,
        batch_size=parsed.batch_size,
        seed=parsed.seed,
        report_to=None if parsed.report_to == "none" else parsed.report_to,
        lora=_read_lora(parsed.peft_config),
    )


def check_modules(architecture_is_llama_like: bool, lora: LoraOptions) -> LoraOptions:
    """Returns the options with the names of Hugging Face's models. Raises InvalidRequest for modules that no llama-like
    model has; those of other models are known when they are read."""
    if lora.target_modules is None or not architecture_is_llama_like:
        return lora
    by_gguf = {gguf: name for name, gguf in MODULES.items()}
    names = tuple(by_gguf.get(name, name) for name in lora.target_modules)
    for name in names:
        if name not in MODULES:
            raise InvalidRequest(
                "hyperparameters.peft_config.target_modules", f"expected some of {', '.join(MODULES)}, got {name}"
            )
    return lora.with_modules(names)


def _read_lora(value: object) -> LoraOptions:
    if value is None:
        return LoraOptions()
    name = "hyperparameters.peft_config"
    if isinstance(value, str):
        with suppress(ValueError):
            value = json.loads(value)
    if not isinstance(value, dict):
        raise InvalidRequest(name, f"expected an object as of PEFT's LoraConfig, got {preview(value)}")
    config: LoraConfig = _parse(LoraConfig, name, {key: item for key, item in value.items() if item is not None})
    return config.options()


def _parse(kind: type[Any], name: str, fields: Mapping[str, Any]) -> Any:  # noqa: ANN401 - of this kind
    known = [spelling for key, field in kind.model_fields.items() for spelling in get_spellings(key, field)]
    for key in fields:
        if key not in known:
            raise InvalidRequest(f"{name}.{key}", f"expected one of {', '.join(known)}")
    try:
        return kind.parse(fields)
    except InvalidRequest as error:
        words = str(error).removeprefix(f"{error.field}: ")
        raise InvalidRequest(f"{name}.{error.field}", words) from None
