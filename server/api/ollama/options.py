"""OllamaOptions: what /api/generate and /api/chat let a request say, besides its texts. Most of it stands in the member
`options`."""

import re
from typing import Annotated, Any, Self

import orjson
from pydantic import AliasChoices, Field, PlainValidator, WithJsonSchema, field_validator, model_validator

from grammar.source import GrammarSource
from server.http.fields import Fields, invalid_value, is_number
from server.options.constraint import ANY_OBJECT, Constraint
from server.options.generation_options import GenerationOptions
from slots.errors import InvalidRequest
from slots.requests.params import Boolean, Integer, Number, Params, Takes, get_spellings

Json = dict[str, object]

FORMATS = '"json" or a JSON schema, which is an object'
LEVELS = {"low": "low", "medium": "medium", "high": "high", "max": "high"}
"""How much to think: what chat templates call it."""
THINK = f"true, false, {', '.join(LEVELS)}"
DURATION = 'a number of seconds, or a duration such as "5m"'
MAX_TOP_LOGPROBS = 20
WITHOUT_EFFECT = frozenset(
    {
        *("num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "numa", "use_mmap", "use_mlock", "low_vram"),
        *("f16_kv", "logits_all", "vocab_only", "embedding_only"),
    }
)
"""Members of `options` that Ollama loads a model with. Here flags say it."""

_DURATION = re.compile(r"[-+]?(?:0|(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)")
_ZERO = re.compile(r"[-+]?[0.]*(?:[a-zµμ]+[0.]*)*")


def _read_format(value: object) -> Constraint | None:
    if value in ("", "json"):
        return Constraint("format", ANY_OBJECT) if value else None
    if not isinstance(value, dict):
        raise invalid_value("format", FORMATS, value)
    return Constraint("format", GrammarSource("json_schema", orjson.dumps(value).decode()))


def _read_think(value: object) -> bool | str:
    if isinstance(value, bool) or (isinstance(value, str) and value in LEVELS):
        return value
    raise invalid_value("think", THINK, value)


def _read_keep_alive(value: object) -> int | float | str:
    if is_number(value) or (isinstance(value, str) and _DURATION.fullmatch(value)):
        return value
    raise invalid_value("keep_alive", DURATION, value)


KeepAlive = Annotated[
    int | float | str | None,
    Takes(DURATION),
    PlainValidator(_read_keep_alive),
    WithJsonSchema({"type": ["number", "string"]}),
]
ModelName = Annotated[Any, Takes("a string"), WithJsonSchema({"type": "string"})]
ModelOptions = Annotated[Json, Takes("an object")]
MODEL = "name of a LoRA adapter, with or without a tag; any other name stands for the model"
KEEP_ALIVE = "accepted: the model stays loaded; 0 without a prompt gets the answer to a request that unloads it"


class OllamaOptions(GenerationOptions):
    """Members of `options` that a model of generation options knows are read as members of the body."""

    model: ModelName = Field(None, description=MODEL)
    stream: Boolean = Field(True, description="return the text as lines of JSON, token by token")
    format: Annotated[
        Constraint | None,
        Takes(FORMATS),
        PlainValidator(_read_format),
        WithJsonSchema({"type": ["string", "object"]}),
    ] = Field(None, description="what the answer has to match: any JSON object, or a JSON schema")
    think: Annotated[
        bool | str | None,
        Takes(THINK),
        PlainValidator(_read_think),
        WithJsonSchema({"enum": [True, False, *LEVELS]}),
    ] = Field(None, description="whether the model is to think before it answers, and how much; absent = if it can")
    logprobs: Boolean = Field(False, description="return the log probability of each token")
    top_logprobs: Integer = Field(
        0,
        ge=0,
        le=MAX_TOP_LOGPROBS,
        description="number of most likely tokens to return with each, if logprobs is true",
    )
    keep_alive: KeepAlive = Field(None, description=KEEP_ALIVE)
    options: ModelOptions = Field({}, description="the options below, and all of /completion")
    n_predict: Annotated[Integer, Takes("-2 or more")] = Field(
        -1,
        ge=-1,
        validation_alias=AliasChoices("num_predict", "n_predict"),
        description="maximum number of tokens to generate; -1, -2 = until the context is full, 0 = only evaluate the "
        "prompt",
    )
    n_keep: Annotated[Integer, Takes("-1 or more")] = Field(
        4,
        ge=-1,
        validation_alias=AliasChoices("num_keep", "n_keep"),
        description="number of prompt tokens that a context shift keeps; -1 = all",
    )
    n_draft: Annotated[Integer, Takes("-1 or more")] = Field(
        -1,
        ge=-1,
        validation_alias=AliasChoices("draft_num_predict", "speculative.n_max"),
        description="maximum number of tokens to draft at once; 0 = no drafts, -1 = as the server was started",
    )
    penalize_nl: Boolean = Field(
        True,
        validation_alias=AliasChoices("penalize_newline", "penalize_nl"),
        description="apply penalties to line breaks as well",
    )
    top_p: Number = Field(
        0.9, ge=0.0, le=1.0, description="top-p: keep the most likely tokens that reach this probability; 1 = disabled"
    )
    min_p: Number = Field(
        0.0, ge=0.0, le=1.0, description="min-p: least probability, as a part of that of the most likely one"
    )
    repeat_penalty: Number = Field(1.0, gt=0.0, description="penalty for repeated tokens; 1 = disabled")
    n: Annotated[Integer, Takes("1")] = Field(1, ge=1, le=1, description="number of answers to generate")

    @classmethod
    def parse(cls, fields: Fields, context: object = None, defaults: Params | None = None) -> Self:
        options = fields.get("options")
        if options is None:
            return super().parse(fields, context, defaults)
        if not isinstance(options, dict):
            raise invalid_value("options", "an object", options)
        known = {name: options[name] for name in options.keys() & cls.option_names()}
        try:
            return super().parse({**fields, **known}, context, defaults)
        except InvalidRequest as error:
            if error.field not in known:
                raise
            message = str(error).removeprefix(f"{error.field}: ")
            raise InvalidRequest(f"options.{error.field}", message) from None

    @classmethod
    def option_names(cls) -> frozenset[str]:
        """Returns the names that `options` may have in it."""
        of_all = GenerationOptions.model_fields.keys() - {"stream", "n", "model", "system_prompt"}
        return frozenset(name for field in of_all for name in get_spellings(field, cls.model_fields[field]))

    @field_validator("n_predict", mode="before")
    @classmethod
    def _read_length(cls, value: object) -> object:
        return -1 if value == -2 else value  # "until the context is full", as -1 is here

    @model_validator(mode="after")
    def _check_format(self) -> Self:
        other = super().constraint
        if self.format and other and "format" in self.model_fields_set and other.name in self.model_fields_set:
            message = "expected one of them, since a text can be made to match only one grammar"
            raise InvalidRequest(f"format and {other.name}", message)
        return self

    @property
    def constraint(self) -> Constraint | None:
        """What the answer has to match: its format, else what other options say."""
        return self.format or super().constraint

    @property
    def n_logprobs(self) -> int:
        """The number of likely tokens to ask the engine for, which reports the sampled one only together with
        others."""
        return max(self.top_logprobs, 1) if self.logprobs else 0

    @property
    def unloads(self) -> bool:
        """Whether a request without a prompt asks for the model to be unloaded."""
        if isinstance(self.keep_alive, str):
            return _ZERO.fullmatch(self.keep_alive) is not None
        return self.keep_alive == 0

    def template_variables(self) -> Json:
        """Returns what `think` sets for the chat template."""
        variables: Json = {} if self.think is None else {"enable_thinking": bool(self.think)}
        if isinstance(self.think, str):
            variables["reasoning_effort"] = LEVELS[self.think]
        return variables

    def unknown_options(self) -> tuple[str, ...]:
        """Returns a sentence for each member of `options` that means nothing."""
        names = self.options.keys() - self.option_names() - WITHOUT_EFFECT
        return tuple(f"options.{name}: there is no such option, so it has no effect" for name in sorted(names))
