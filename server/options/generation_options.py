"""GenerationOptions: what every endpoint that generates text lets a request say, besides its prompts."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    AliasChoices,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from server.chat.system_prompt import SystemPromptOption
from server.http.errors import ApiError
from server.http.fields import preview
from server.options.constraint import (
    Choice,
    Constraint,
    Gbnf,
    JsonSchema,
    JsonSchemaOrText,
    Regex,
    ResponseFormat,
    StructuredOutputs,
)
from server.options.logit_bias import LogitBias, as_logit_bias
from server.options.lora import AdapterOptions
from server.options.sampler_order import as_samplers
from slots.errors import InvalidRequest
from slots.requests.completion_params import CompletionParams
from slots.requests.params import Boolean, Integer, Takes, expected
from slots.requests.sampling_params import SamplerName, SamplingParams

if TYPE_CHECKING:
    from slots.engine import Engine

MAX_CHOICES = 128
MAX_SALT_CHARACTERS = 256
CONSTRAINTS = (
    *("grammar", "json_schema", "regex", "choice", "response_format"),
    *("guided_json", "guided_regex", "guided_choice", "guided_grammar", "structured_outputs"),
)
"""The fields that say what a text has to match. A request may use one of them."""

N_CHOICES = f"a number from 1 to {MAX_CHOICES}"


_DEFAULT_SAMPLING = SamplingParams()


def _check_salt(salt: str) -> str:
    if len(salt) > MAX_SALT_CHARACTERS:
        raise expected(f"at most {MAX_SALT_CHARACTERS} characters", got=len(salt))
    return salt


def _accept_only(neutral: object) -> PlainValidator:
    """Returns the validator of an option that is not supported. It raises ApiError (501), which names the option,
    unless the value asks for nothing."""

    def validate(value: object, info: ValidationInfo) -> object:
        if value != neutral:
            message = f"not supported, expected {preview(neutral)} or no such option, got {preview(value)}"
            raise ApiError(501, f"{info.field_name}: {message}")
        return value

    return PlainValidator(validate)


NotSupported = Annotated[Any, Takes("[]"), _accept_only([]), WithJsonSchema({"type": "array"})]


class GenerationOptions(AdapterOptions, CompletionParams, SamplingParams):
    """The server's defaults are an instance, constructed with what its flags say; the models of bodies extend it.

    Raises InvalidRequest, which names the field, and ApiError (501) for an option that is not supported. Bodies are
    parsed with the engine as context.
    """

    model_config = ConfigDict(extra="ignore")
    alternatives: ClassVar[frozenset[str]] = frozenset(CONSTRAINTS)
    completes_characters: ClassVar[bool] = False
    """Whether a text goes on beyond the limit of its tokens until its last character is complete."""

    n: Annotated[Integer, Takes(N_CHOICES)] = Field(
        1,
        ge=1,
        le=MAX_CHOICES,
        validation_alias=AliasChoices("n", "n_cmpl"),
        description="number of texts to generate for each prompt",
    )
    stream: Boolean = Field(False, description="return the text as server-sent events, token by token")
    return_tokens: Boolean = Field(False, description="return the ids of the generated tokens")
    sse_ping_interval: Annotated[Integer, Takes("-1 or more")] = Field(
        30, ge=-1, description="seconds of silence in a stream after which it gets a comment; -1 = none"
    )
    verbose: Boolean = Field(
        False,
        description="add `__verbose` to answers in OpenAI's dialect: the result as /completion returns it, with the "
        "text of the prompt",
    )
    cache_salt: Annotated[str, AfterValidator(_check_salt)] = Field(
        "", description="share prefixes only with requests that have the same salt"
    )
    system_prompt: SystemPromptOption = Field(
        None, description="system prompt of this and all later requests; an empty one removes it"
    )
    grammar: Gbnf = Field(None, description="GBNF grammar that the output has to match")
    json_schema: JsonSchema = Field(None, description="JSON schema that the output has to match; {} = any JSON value")
    regex: Regex = Field(None, description="regular expression that the output has to match")
    choice: Choice = Field(None, description="strings of which the output is one")
    response_format: ResponseFormat = Field(None, description="format of the output, as OpenAI specifies it")
    guided_json: JsonSchemaOrText = Field(None, description="as json_schema, in vLLM's spelling")
    guided_regex: Regex = Field(None, description="as regex, in vLLM's spelling")
    guided_choice: Choice = Field(None, description="as choice, in vLLM's spelling")
    guided_grammar: Gbnf = Field(None, description="as grammar, in vLLM's spelling")
    structured_outputs: StructuredOutputs = Field(None, description="one of these kinds, in vLLM's newer spelling")
    grammar_lazy: Annotated[bool, Takes("false"), _accept_only(False)] = Field(False, description="not supported")
    grammar_triggers: NotSupported = Field((), description="not supported")
    image_data: NotSupported = Field((), description="not supported")
    modalities: Annotated[Any, Takes('["text"]'), _accept_only(["text"]), WithJsonSchema({"type": "array"})] = Field(
        ("text",), description="only text is supported"
    )
    return_progress: Boolean = Field(
        False, description="report the place in the queue and the progress of the prompt in a stream"
    )
    reasoning_budget_tokens: Annotated[Integer, Takes("-1 or more")] = Field(
        -1,
        ge=-1,
        validation_alias=AliasChoices(
            "reasoning_budget_tokens", "thinking_budget_tokens", "thinking_token_budget", "reasoning_budget"
        ),
        description="maximum number of tokens of a chat's thoughts, which are ended then; -1 = as the server was "
        "started, by default without a limit",
    )
    reasoning_budget_message: str = Field(
        "", description="text before the end of thoughts for which the budget was not enough"
    )

    @property
    def sampling(self) -> SamplingParams:
        """How tokens are chosen."""
        values = {name: self.__dict__[name] for name in SamplingParams.model_fields}
        return _DEFAULT_SAMPLING.model_copy(update=values)  # which does not validate again

    @property
    def constraint(self) -> Constraint | None:
        """What the text has to match; None leaves it free."""
        return next((self.__dict__[name] for name in CONSTRAINTS if self.__dict__[name] is not None), None)

    @field_validator("stop", mode="before", json_schema_input_type=str | list[str])
    @classmethod
    def _read_stop(cls, value: object) -> object:
        words = [value] if isinstance(value, str) else value
        return [word for word in words if word != ""] if isinstance(words, list) else value

    @field_validator("samplers", mode="before", json_schema_input_type=str | list[str])
    @classmethod
    def _read_samplers(cls, value: object) -> tuple[SamplerName, ...]:
        return as_samplers("samplers", list(value) if isinstance(value, tuple) else value)

    @field_validator(
        "logit_bias",
        mode="before",
        json_schema_input_type=dict[str, float | bool] | list[tuple[int | str, float | bool]],
    )
    @classmethod
    def _read_logit_bias(cls, value: object, info: "ValidationInfo[Engine]") -> LogitBias:
        return value if isinstance(value, tuple) else as_logit_bias("logit_bias", value, info.context.vocab)

    @model_validator(mode="before")
    @classmethod
    def _check_slot(cls, values: dict[str, object]) -> dict[str, object]:
        if "slot_id" in values and values.get("id_slot", values["slot_id"]) != values["slot_id"]:
            same = f"expected the same as slot_id, {preview(values['slot_id'])}, or only one of them"
            raise InvalidRequest("id_slot", f"{same}, got {preview(values['id_slot'])}")
        return values

    @model_validator(mode="after")
    def _check_constraints(self) -> Self:
        if len(self.model_fields_set & self.alternatives) > 1:
            names = [constraint.name for name in CONSTRAINTS if (constraint := self.__dict__[name]) is not None]
            if len(names) > 1:
                message = "expected one of them, since a text can be made to match only one grammar"
                raise InvalidRequest(" and ".join(names), message)
        return self
