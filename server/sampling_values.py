"""From the text of a flag or variable to an option that says how the next token is chosen.

Each function raises argparse.ArgumentTypeError for a text it cannot take, saying what was expected and what came.
"""

import argparse
import re
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from server.cli.values import integer, number, unexpected
from server.generation.sampler_order import samplers_of_letters, samplers_of_names
from server.http.fields import as_integer, as_number
from slots.errors import InvalidRequest
from slots.requests.sampling_params import SamplerName, SamplingParams

ESCAPE = re.compile(r"""\\([nrt'"\\])""")
ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
TOKEN_AND_BIAS = re.compile(r"([0-9]{1,9})([+-].+)")

Value = TypeVar("Value")
Reader = Callable[[str], Value]


def _for_flag(read: Reader[Value]) -> Reader[Value]:
    """Returns a reader whose errors leave the name of the option to the flag."""

    @wraps(read)
    def read_for_flag(text: str) -> Value:
        try:
            return read(text)
        except InvalidRequest as error:
            raise argparse.ArgumentTypeError(str(error).removeprefix(f"{error.field}: ")) from None

    return read_for_flag


def _checked(name: str, value: Value) -> Value:
    """Returns the value. Raises InvalidRequest if the field `name` of SamplingParams does not take it."""
    SamplingParams(**{name: value})  # type: ignore[arg-type]
    return value


def sampling(name: str) -> Reader[float]:
    """Returns a reader of what the field `name` of SamplingParams, which is a number, takes."""
    is_integer = isinstance(getattr(SamplingParams(), name), int)

    @_for_flag
    def read(text: str) -> float:
        if is_integer:
            return as_integer(name, _checked(name, integer(text)))
        return as_number(name, _checked(name, number(text)))

    return read


@_for_flag
def sampler_names(text: str) -> tuple[SamplerName, ...]:
    """Returns the samplers of names with semicolons between them."""
    names = [name for part in text.split(";") if (name := part.strip())]
    return _checked("samplers", samplers_of_names("samplers", names))


@_for_flag
def sampler_letters(text: str) -> tuple[SamplerName, ...]:
    """Returns the samplers of letters."""
    return _checked("samplers", samplers_of_letters("samplers", text))


@_for_flag
def sequence_breaker(text: str) -> tuple[str, ...]:
    """Returns the breaker that a text with escapes such as \\n stands for; none for "none"."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError("expected text in UTF-8") from None
    breakers = () if text == "none" else (ESCAPE.sub(lambda found: ESCAPED.get(found[1], found[1]), text),)
    return _checked("dry_sequence_breakers", breakers)


@_for_flag
def token_bias(text: str) -> tuple[tuple[int, float], ...]:
    """Returns a token and what is added to its logit, -inf for one that is ruled out."""
    found = TOKEN_AND_BIAS.fullmatch(text)
    if found is None:
        raise unexpected("a token id and a bias with its sign, such as 15043+1, 15043-1 or 15043-inf", text)
    token, bias = found.groups()
    return ((int(token), -float("inf") if bias == "-inf" else as_number("logit_bias", number(bias))),)
