"""Flags of the samplers: a default for every sampling option of a request."""

import argparse
import re
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from server.cli.parser import Flag, Group, Switch
from server.cli.values import finite_float, integer, invalid
from server.http.fields import as_integer, as_number
from server.options.generation_options import GenerationOptions
from server.options.sampler_order import LETTERS, samplers_from_letters, samplers_from_names
from slots.errors import InvalidRequest
from slots.requests.sampling_params import SamplerName, SamplingParams

ESCAPE = re.compile(r"""\\([nrt'"\\])""")
ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
TOKEN_AND_BIAS = re.compile(r"([0-9]{1,9})([+-].+)")

Value = TypeVar("Value")
Reader = Callable[[str], Value]


def describe_option(name: str) -> str:
    """Returns the description of a request's option, which is the help of the flag for its default."""
    return str(GenerationOptions.model_fields[name].description)


def _flag_reader(read: Reader[Value]) -> Reader[Value]:
    """Makes a reader's InvalidRequest an argparse error, which names the flag in place of the field."""

    @wraps(read)
    def read_for_flag(text: str) -> Value:
        try:
            return read(text)
        except InvalidRequest as error:
            raise argparse.ArgumentTypeError(str(error).removeprefix(f"{error.field}: ")) from None

    return read_for_flag


def _validate(name: str, value: Value) -> Value:
    """Returns the value. Raises InvalidRequest if it is out of range for the field `name` of SamplingParams."""
    SamplingParams(**{name: value})
    return value


def sampling_value(name: str) -> Reader[float]:
    """Returns a reader for the numeric field `name` of SamplingParams."""
    is_integer = isinstance(getattr(SamplingParams(), name), int)

    @_flag_reader
    def read(text: str) -> float:
        if is_integer:
            return as_integer(name, _validate(name, integer(text)))
        return as_number(name, _validate(name, finite_float(text)))

    return read


@_flag_reader
def sampler_names(text: str) -> tuple[SamplerName, ...]:
    """Returns the samplers of a list such as "top_k;temperature"."""
    names = [name for part in text.split(";") if (name := part.strip())]
    return _validate("samplers", samplers_from_names("samplers", names))


@_flag_reader
def sampler_letters(text: str) -> tuple[SamplerName, ...]:
    """Returns the samplers of letters such as "kt"."""
    return _validate("samplers", samplers_from_letters("samplers", text))


def unescape(text: str) -> str:
    """Returns the text with escapes such as \\n replaced. Raises argparse.ArgumentTypeError if it is not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError("expected text in UTF-8") from None
    return ESCAPE.sub(lambda match: ESCAPED.get(match[1], match[1]), text)


@_flag_reader
def sequence_breaker(text: str) -> tuple[str, ...]:
    """Returns the sequence breaker as a tuple of one, with escapes such as \\n replaced; "none" is an empty tuple."""
    breakers = () if text == "none" else (unescape(text),)
    return _validate("dry_sequence_breakers", breakers)


@_flag_reader
def token_bias(text: str) -> tuple[tuple[int, float], ...]:
    """Returns the token id and its bias, as a tuple of one pair; a bias of -inf excludes the token."""
    match = TOKEN_AND_BIAS.fullmatch(text)
    if match is None:
        raise invalid("a token id and a bias with its sign, such as 15043+1, 15043-1 or 15043-inf", text)
    token, bias = match.groups()
    return ((int(token), -float("inf") if bias == "-inf" else as_number("logit_bias", finite_float(bias))),)


def _sampling_flag(spelling: str, option: str, variable: str | None = None) -> Flag:
    return Flag(spelling, option, sampling_value(option), describe_option(option), variable)


SAMPLING = Group(
    "sampling",
    "Defaults for options that a request leaves out.",
    Flag("--samplers A;B;...", "samplers", sampler_names, describe_option("samplers")),
    Flag(
        "--sampler-seq, --sampling-seq LETTERS",
        "samplers",
        sampler_letters,
        f"the same in letters: {', '.join(f'{letter} {sampler}' for letter, sampler in LETTERS.items())}",
    ),
    _sampling_flag("-s, --seed N", "seed"),
    _sampling_flag("--temp, --temperature N", "temperature", "LLAMA_ARG_TEMPERATURE"),
    _sampling_flag("--dynatemp-range N", "dynatemp_range"),
    _sampling_flag("--dynatemp-exp N", "dynatemp_exponent"),
    _sampling_flag("--top-k N", "top_k", "LLAMA_ARG_TOP_K"),
    _sampling_flag("--top-p N", "top_p", "LLAMA_ARG_TOP_P"),
    _sampling_flag("--min-p N", "min_p", "LLAMA_ARG_MIN_P"),
    _sampling_flag("--top-nsigma, --top-n-sigma N", "top_n_sigma"),
    _sampling_flag("--typical, --typical-p N", "typical_p"),
    _sampling_flag("--tfs, --tfs-z N", "tfs_z"),
    _sampling_flag("--xtc-probability N", "xtc_probability"),
    _sampling_flag("--xtc-threshold N", "xtc_threshold"),
    _sampling_flag("--adaptive-target N", "adaptive_target"),
    _sampling_flag("--adaptive-decay N", "adaptive_decay"),
    _sampling_flag("--mirostat N", "mirostat"),
    _sampling_flag("--mirostat-ent N", "mirostat_tau"),
    _sampling_flag("--mirostat-lr N", "mirostat_eta"),
    _sampling_flag("--min-keep N", "min_keep"),
    Flag(
        "-l, --logit-bias TOKEN_ID(+/-)BIAS",
        "logit_bias",
        token_bias,
        "add a bias to a token's logit: 15043+1 makes it more likely, 15043-1 less likely, 15043-inf excludes it; may "
        "be repeated",
        repeatable=True,
    ),
)

REPETITION = Group(
    "repetition penalties",
    "Defaults for options that a request leaves out.",
    _sampling_flag("--repeat-last-n N", "repeat_last_n"),
    _sampling_flag("--repeat-penalty N", "repeat_penalty", "LLAMA_ARG_REPEAT_PENALTY"),
    _sampling_flag("--presence-penalty N", "presence_penalty", "LLAMA_ARG_PRESENCE_PENALTY"),
    _sampling_flag("--frequency-penalty N", "frequency_penalty", "LLAMA_ARG_FREQUENCY_PENALTY"),
    Switch("--penalize-nl, --no-penalize-nl", "penalize_nl", describe_option("penalize_nl")),
    _sampling_flag("--dry-multiplier N", "dry_multiplier"),
    _sampling_flag("--dry-base N", "dry_base"),
    _sampling_flag("--dry-allowed-length N", "dry_allowed_length"),
    _sampling_flag("--dry-penalty-last-n N", "dry_penalty_last_n"),
    Flag(
        "--dry-sequence-breaker STRING",
        "dry_sequence_breakers",
        sequence_breaker,
        "DRY: string that ends a sequence, with escapes such as \\n; replaces the defaults, may be repeated; none = no "
        "breakers",
        repeatable=True,
    ),
)
