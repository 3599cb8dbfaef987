"""The options that say how the next token is chosen: JSON to the engine's terms."""

import re
from collections.abc import Callable, Iterator
from dataclasses import fields as fields_of
from dataclasses import replace
from functools import partial
from typing import Any

from server.generation.sampler_order import as_samplers
from server.http.fields import (
    Fields,
    as_boolean,
    as_integer,
    as_number,
    as_strings,
    as_token,
    first_present,
    invalid_value,
    is_number,
    naming_field,
)
from slots.llama import Vocab
from slots.requests.sampling_params import SamplingParams

SHAPES = "a list of [token id or string, number or false] pairs, or an object with token ids or strings as keys"
TOKEN_ID = re.compile(r"-?[0-9]+")
MAX_ID_CHARACTERS = 11
"""Characters."""

LogitBias = tuple[tuple[int, float], ...]


def as_logit_bias(name: str, value: object, vocab: Vocab) -> LogitBias:
    """Returns what is added to the logit of each token; -inf for one that is ruled out. A string stands for each of its
    tokens, and what several entries say about one token adds up.

    Raises InvalidRequest for any other shape and for tokens that the vocabulary does not have.
    """
    biases: dict[int, float] = {}
    for target, spelled_bias in _entries(name, value):
        bias = -float("inf") if spelled_bias is False else as_number(name, spelled_bias)
        for token in _tokens(name, target, vocab):
            biases[token] = biases.get(token, 0.0) + bias
    return tuple(biases.items())


def _entries(name: str, value: object) -> Iterator[tuple[object, object]]:
    if isinstance(value, dict):
        for key, bias in value.items():
            is_id = TOKEN_ID.fullmatch(key)
            if is_id and len(key) > MAX_ID_CHARACTERS:
                raise invalid_value(name, "keys that are ids of tokens or strings", key)
            yield int(key) if is_id else key, bias
    elif isinstance(value, list):
        for entry in value:
            if isinstance(entry, dict) and entry.keys() == {"token", "bias"}:  # as answers spell it
                yield entry["token"], entry["bias"]
            elif isinstance(entry, list) and len(entry) == 2:
                yield entry[0], entry[1]
            else:
                raise invalid_value(name, SHAPES, value)
    else:
        raise invalid_value(name, SHAPES, value)


def _tokens(name: str, target: object, vocab: Vocab) -> list[int]:
    if isinstance(target, str):
        with naming_field(name):
            return vocab.tokenize(target, add_special=False, parse_special=False)
    if is_number(target):
        return [as_token(name, target, vocab.n_tokens)]
    raise invalid_value(name, SHAPES, target)


Reader = Callable[[str, object], Any]

READERS_BY_TYPE: dict[type, Reader] = {bool: as_boolean, int: as_integer, float: as_number}
PLAIN_READERS = {
    option.name: READERS_BY_TYPE[type(option.default)]
    for option in fields_of(SamplingParams)
    if type(option.default) in READERS_BY_TYPE
}
"""Of the options that are one number, or true or false."""
ALIASES = {"n_probs": ("logprobs",)}


def read_sampling(fields: Fields, vocab: Vocab, defaults: SamplingParams) -> SamplingParams:
    """Returns the options of a request; `defaults` stand for those that it leaves out.

    Raises InvalidRequest, which names the field, for a value of a wrong type or out of its range.
    """
    readers: dict[str, Reader] = {
        **PLAIN_READERS,
        "samplers": as_samplers,
        "dry_sequence_breakers": _as_sequence_breakers,
        "logit_bias": partial(as_logit_bias, vocab=vocab),
    }
    given = {}
    for name, read in readers.items():
        spelling = first_present(fields, name, *ALIASES.get(name, ()))
        value = fields.get(spelling)
        if value is not None:
            given[name] = read(spelling, value)
    return replace(defaults, **given)


def _as_sequence_breakers(name: str, value: object) -> tuple[str, ...]:
    breakers = as_strings(name, value)
    if not all(breakers):
        raise invalid_value(name, "strings that are not empty", value)
    return breakers
