"""The flags of the samplers: each default of theirs has one."""

import argparse
import re
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from grammar.source import GrammarSource, Kind
from server.cli.parser import Flag, Group, Switch
from server.cli.values import MAX_SIZE, finite_float, int_in_range, integer, invalid, text_file
from server.generation.constraint import Constraint
from server.generation.sampler_order import LETTERS, samplers_from_letters, samplers_from_names
from server.http.fields import as_integer, as_number
from slots.errors import InvalidRequest
from slots.requests.sampling_params import SamplerName, SamplingParams

ESCAPE = re.compile(r"""\\([nrt'"\\])""")
ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
TOKEN_AND_BIAS = re.compile(r"([0-9]{1,9})([+-].+)")

Value = TypeVar("Value")
Reader = Callable[[str], Value]


def _flag_reader(read: Reader[Value]) -> Reader[Value]:
    """Returns a reader whose errors leave the name of the option to the flag."""

    @wraps(read)
    def read_for_flag(text: str) -> Value:
        try:
            return read(text)
        except InvalidRequest as error:
            raise argparse.ArgumentTypeError(str(error).removeprefix(f"{error.field}: ")) from None

    return read_for_flag


def _validate(name: str, value: Value) -> Value:
    """Returns the value. Raises InvalidRequest if the field `name` of SamplingParams does not take it."""
    SamplingParams(**{name: value})
    return value


def sampling_value(name: str) -> Reader[float]:
    """Returns a reader of what the field `name` of SamplingParams, which is a number, takes."""
    is_integer = isinstance(getattr(SamplingParams(), name), int)

    @_flag_reader
    def read(text: str) -> float:
        if is_integer:
            return as_integer(name, _validate(name, integer(text)))
        return as_number(name, _validate(name, finite_float(text)))

    return read


@_flag_reader
def sampler_names(text: str) -> tuple[SamplerName, ...]:
    """Returns the samplers of names with semicolons between them."""
    names = [name for part in text.split(";") if (name := part.strip())]
    return _validate("samplers", samplers_from_names("samplers", names))


@_flag_reader
def sampler_letters(text: str) -> tuple[SamplerName, ...]:
    """Returns the samplers of letters."""
    return _validate("samplers", samplers_from_letters("samplers", text))


@_flag_reader
def sequence_breaker(text: str) -> tuple[str, ...]:
    """Returns the breaker that a text with escapes such as \\n stands for; none for "none"."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError("expected text in UTF-8") from None
    breakers = () if text == "none" else (ESCAPE.sub(lambda found: ESCAPED.get(found[1], found[1]), text),)
    return _validate("dry_sequence_breakers", breakers)


@_flag_reader
def token_bias(text: str) -> tuple[tuple[int, float], ...]:
    """Returns a token and what is added to its logit, -inf for one that is ruled out."""
    found = TOKEN_AND_BIAS.fullmatch(text)
    if found is None:
        raise invalid("a token id and a bias with its sign, such as 15043+1, 15043-1 or 15043-inf", text)
    token, bias = found.groups()
    return ((int(token), -float("inf") if bias == "-inf" else as_number("logit_bias", finite_float(bias))),)


def _sampling_flag(spelling: str, option: str, text: str, variable: str | None = None) -> Flag:
    return Flag(spelling, option, sampling_value(option), text, variable)


SAMPLING = Group(
    "sampling defaults",
    "For what a request leaves out.",
    Flag("--samplers A;B;...", "samplers", sampler_names, "samplers in the order in which they are applied"),
    Flag(
        "--sampler-seq, --sampling-seq LETTERS",
        "samplers",
        sampler_letters,
        f"the same in letters: {', '.join(f'{letter} {sampler}' for letter, sampler in LETTERS.items())}",
    ),
    _sampling_flag("-s, --seed N", "seed", "seed of the random numbers; -1: a new one each time"),
    _sampling_flag(
        "--temp, --temperature N",
        "temperature",
        "how freely tokens are chosen; 0: always the most likely",
        "LLAMA_ARG_TEMPERATURE",
    ),
    _sampling_flag("--dynatemp-range N", "dynatemp_range", "how far the temperature moves with the entropy; 0: off"),
    _sampling_flag("--dynatemp-exp N", "dynatemp_exponent", "exponent of how it moves"),
    _sampling_flag("--top-k N", "top_k", "only the N most likely tokens; 0: all", "LLAMA_ARG_TOP_K"),
    _sampling_flag(
        "--top-p N",
        "top_p",
        "only the most likely tokens that together reach this probability; 1: all",
        "LLAMA_ARG_TOP_P",
    ),
    _sampling_flag(
        "--min-p N",
        "min_p",
        "only tokens with this share of the best one's probability; 0: all",
        "LLAMA_ARG_MIN_P",
    ),
    _sampling_flag(
        "--top-nsigma, --top-n-sigma N",
        "top_n_sigma",
        "only tokens within N standard deviations of the best one; -1: all",
    ),
    _sampling_flag(
        "--typical, --typical-p N", "typical_p", "only tokens about as surprising as can be expected; 1: all"
    ),
    _sampling_flag("--tfs, --tfs-z N", "tfs_z", "without the tail where probabilities level out; 1: all"),
    _sampling_flag(
        "--xtc-probability N", "xtc_probability", "how often all likely tokens but the last are left out; 0: off"
    ),
    _sampling_flag(
        "--xtc-threshold N", "xtc_threshold", "probability from which a token is likely for that; above 0.5: off"
    ),
    _sampling_flag(
        "--adaptive-target N",
        "adaptive_target",
        "choose tokens near this probability, if adaptive_p is among the samplers; -1: off",
    ),
    _sampling_flag("--adaptive-decay N", "adaptive_decay", "how slowly that adapts to what was chosen, up to 0.99"),
    _sampling_flag("--mirostat N", "mirostat", "1 or 2: this version of Mirostat instead of other samplers; 0: off"),
    _sampling_flag("--mirostat-ent N", "mirostat_tau", "the surprise it aims at, tau"),
    _sampling_flag("--mirostat-lr N", "mirostat_eta", "how fast it learns, eta"),
    _sampling_flag("--min-keep N", "min_keep", "tokens that a sampler leaves at least; 0: as it likes"),
    Flag(
        "-l, --logit-bias TOKEN_ID(+/-)BIAS",
        "logit_bias",
        token_bias,
        "make a token likelier (15043+1) or less likely (15043-1), or rule it out (15043-inf); may be given again",
        repeatable=True,
    ),
)

REPETITION = Group(
    "defaults against repetition",
    "For what a request leaves out.",
    _sampling_flag(
        "--repeat-last-n N",
        "repeat_last_n",
        "tokens that the penalties look back on; 0: none, -1: the whole context",
    ),
    _sampling_flag(
        "--repeat-penalty N", "repeat_penalty", "penalty for repeated tokens; 1: none", "LLAMA_ARG_REPEAT_PENALTY"
    ),
    _sampling_flag(
        "--presence-penalty N",
        "presence_penalty",
        "penalty for tokens that were there; 0: none",
        "LLAMA_ARG_PRESENCE_PENALTY",
    ),
    _sampling_flag(
        "--frequency-penalty N",
        "frequency_penalty",
        "penalty for each time a token was there; 0: none",
        "LLAMA_ARG_FREQUENCY_PENALTY",
    ),
    Switch("--penalize-nl, --no-penalize-nl", "penalize_nl", "let these penalties touch line breaks"),
    _sampling_flag("--dry-multiplier N", "dry_multiplier", "penalty for going on with a repeated sequence; 0: none"),
    _sampling_flag("--dry-base N", "dry_base", "how the penalty grows with each token of the sequence"),
    _sampling_flag(
        "--dry-allowed-length N", "dry_allowed_length", "repeated tokens from which on the next one is penalized"
    ),
    _sampling_flag(
        "--dry-penalty-last-n N", "dry_penalty_last_n", "tokens it looks back on; 0: none, -1: the whole context"
    ),
    Flag(
        "--dry-sequence-breaker STRING",
        "dry_sequence_breakers",
        sequence_breaker,
        "where sequences end, with escapes such as \\n, instead of the defaults; may be given again; none: nowhere",
        repeatable=True,
    ),
)

COMPLETION = Group(
    "completion defaults",
    "For what a request leaves out.",
    Flag(
        "-n, --predict, --n-predict N",
        "n_predict",
        int_in_range(-1),
        "most tokens to generate; -1: until the context is full",
        "LLAMA_ARG_N_PREDICT",
    ),
    Flag("--keep N", "n_keep", int_in_range(-1), "tokens of the prompt that stay when the context is full; -1: all"),
    Switch(
        "--cache-prompt, --no-cache-prompt",
        "cache_prompt",
        "reuse what was computed of a prompt before",
        "LLAMA_ARG_CACHE_PROMPT",
    ),
    Flag(
        "--cache-reuse N",
        "n_cache_reuse",
        int_in_range(0, MAX_SIZE),
        "fewest tokens of a chunk behind a changed part that is moved instead of computed; 0: none is",
        "LLAMA_ARG_CACHE_REUSE",
    ),
    Switch("--ignore-eos", "ignore_eos", "go on where the model would end"),
    Flag(
        "--n-indent N", "n_indent", int_in_range(0, MAX_SIZE), "end at a line that is indented less than this; 0: off"
    ),
    Flag(
        "--t-max-predict-ms N",
        "t_max_predict_ms",
        int_in_range(-1, MAX_SIZE),
        "milliseconds after which the next line end ends the text; 0: off",
    ),
    Flag("--n-probs N", "n_probs", sampling_value("n_probs"), "tell the N most likely tokens of each position; 0: off"),
    Switch("--post-sampling-probs", "post_sampling_probs", "tell them as the samplers leave them"),
    Switch("--return-tokens", "return_tokens", "tell the ids of the tokens"),
    Switch("--timings-per-token", "timings_per_token", "tell counts and durations with each streamed token"),
)


def _constraint_flag(spelling: str, kind: Kind, text: str, read: Callable[[str], str] = str) -> Flag:
    name = f"argument {spelling.rsplit(' ', 1)[0].replace(', ', '/')}"
    return Flag(spelling, "constraint", lambda value: Constraint(name, GrammarSource(kind, read(value))), text)


CONSTRAINT = Group(
    "constrained output",
    "For requests that do not say what their texts have to match.",
    _constraint_flag("--grammar GRAMMAR", "gbnf", "a grammar in GBNF"),
    _constraint_flag("--grammar-file FILE", "gbnf", "the same, from a file", text_file),
    _constraint_flag("-j, --json-schema SCHEMA", "json_schema", "a JSON schema instead; {}: any JSON value"),
    _constraint_flag("-jf, --json-schema-file FILE", "json_schema", "the same, from a file", text_file),
)
