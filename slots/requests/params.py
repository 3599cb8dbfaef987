"""Params: base of the models that say what a request may hold. Type, range, default and meaning of a field are written
once, there, for the engine, HTTP, the flags and the documentation."""

import math
from dataclasses import dataclass
from typing import Annotated, Any, Self, get_args

from pydantic import (
    AliasChoices,
    AllowInfNan,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ModelWrapValidatorHandler,
    Strict,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from slots.errors import InvalidRequest

MIN_INTEGER = -(2**31)
MAX_INTEGER = 2**32 - 1
MAX_NUMBER = 3.4028234663852886e38
"""The largest float of 32 bits: what llama.cpp computes with."""


def expected(words: str, **got: object) -> PydanticCustomError:
    """Returns the error of a validator whose value is not what was expected; `got=...` shows something else than the
    value."""
    return PydanticCustomError("expected", "{words}", {"words": words, **got})


def _check_whole(value: object) -> int:
    """JSON may spell 40 as 40.0."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise expected("an integer")
    return value


def _check_integer(value: object) -> int:
    value = _check_whole(value)
    if not MIN_INTEGER <= value <= MAX_INTEGER:
        raise PydanticCustomError("too_large", "{words}", {"words": f"an integer from {MIN_INTEGER} to {MAX_INTEGER}"})
    return value


def _check_number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise expected("a number")
    if MAX_NUMBER < abs(value) < math.inf:
        raise PydanticCustomError("too_large", "{words}", {"words": f"a number from {-MAX_NUMBER} to {MAX_NUMBER}"})
    return value


Integer = Annotated[int, BeforeValidator(_check_integer), Strict()]
LongInteger = Annotated[int, BeforeValidator(_check_whole), Strict()]
"""One that never reaches llama.cpp, whose integers have 32 bits; the field says its range."""
Number = Annotated[float, BeforeValidator(_check_number), Strict(), AllowInfNan(False)]
Boolean = Annotated[bool, Strict()]


@dataclass(frozen=True, slots=True)
class Takes:
    """Stands in an annotation, and says in words which values a field takes, where its type and range do not."""

    words: str


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers from `minimum` to `maximum`, both included unless `excludes_minimum`."""

    minimum: float = -math.inf
    maximum: float = math.inf
    excludes_minimum: bool = False

    def __str__(self) -> str:
        kind = "an integer" if isinstance(self.minimum, int) else "a number"
        low, high = (f"{end:g}" if isinstance(end, float) else str(end) for end in (self.minimum, self.maximum))
        if math.isfinite(self.minimum) and math.isfinite(self.maximum):
            return f"{kind} from {low} to {high}"
        if math.isfinite(self.minimum):
            return f"{kind} above {low}" if self.excludes_minimum else f"{kind}, {low} or more"
        return f"{kind}, {high} or less" if math.isfinite(self.maximum) else "a finite number"


def get_range(field: FieldInfo) -> Range:
    """Returns the numbers that a field takes."""
    bounds = {
        name: getattr(part, name) for part in field.metadata for name in ("ge", "gt", "le") if hasattr(part, name)
    }
    return Range(bounds.get("ge", bounds.get("gt", -math.inf)), bounds.get("le", math.inf), "gt" in bounds)


def get_expected(field: FieldInfo) -> str:
    """Returns the words for the values that a field takes."""
    for part in field.metadata:
        if isinstance(part, Takes):
            return part.words
    kinds = {getattr(kind, "__origin__", kind) for kind in get_args(field.annotation) or (field.annotation,)}
    if bool in kinds:
        return "true or false"
    if str in kinds:
        return "a string"
    allowed = get_range(field)
    return "an integer" if field.annotation is int and allowed == Range() else str(allowed)


class Params(BaseModel):
    """An immutable set of named values. Constructing one raises InvalidRequest, which names the field and says what was
    expected, for a value of a wrong type or out of its range."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, arbitrary_types_allowed=True)

    def replace(self, **changes: Any) -> Self:  # noqa: ANN401 - as the fields are
        """Returns a copy with other values. Raises InvalidRequest like the constructor."""
        return type(self)(**{**self.__dict__, **changes})

    @classmethod
    def preview(cls, value: object) -> str:
        """Returns a value as messages show it."""
        return repr(value)

    @model_validator(mode="wrap")
    @classmethod
    def _raise_invalid_request(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401
        try:
            return handler(values)
        except ValidationError as error:
            raise cls._invalid_request(values, error.errors(include_url=False)[0]) from None

    @classmethod
    def _invalid_request(cls, values: dict[str, object], error: ErrorDetails) -> InvalidRequest:
        """Returns the error under the name by which the client gave the field. An error in an item of a list is one of
        the whole list, unless a validator of the item says what it expected."""
        name, *path = error["loc"]
        context = error.get("ctx", {})
        if error["type"] == "extra_forbidden":
            raise TypeError(f"{cls.__name__} has no field {name}")
        field = next(field for key, field in cls.model_fields.items() if name in (key, *get_spellings(key, field)))
        got = "nothing" if error["type"] == "missing" else cls.preview(context.get("got", error["input"]))
        is_bounded = math.isfinite(get_range(field).maximum)
        if "words" in context and not (error["type"] == "too_large" and is_bounded):
            return InvalidRequest(_dotted(error["loc"]), f"expected {context['words']}, got {got}")
        if any(isinstance(part, str) for part in path):
            return InvalidRequest(_dotted(error["loc"]), f"expected {MEMBER_WORDS[error['type']]}, got {got}")
        got = "nothing" if name not in values else cls.preview(values[str(name)])
        return InvalidRequest(str(name), f"expected {get_expected(field)}, got {got}")


MEMBER_WORDS = {"bool_type": "true or false", "string_type": "a string"}
"""By the type of the error: what a member of an object within a request takes."""


def _dotted(location: tuple[int | str, ...]) -> str:
    """Returns a path as in messages[0].content."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")


def get_spellings(name: str, field: FieldInfo) -> list[str]:
    """Returns the names by which a request may give a field, the canonical one first."""
    match field.validation_alias:
        case AliasChoices(choices=choices):
            return [choice for choice in choices if isinstance(choice, str)]
        case str(alias):
            return [alias]
    return [name]
