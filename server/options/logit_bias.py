"""The option `logit_bias`: what is added to the logits of tokens, in all its shapes."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from server.http.fields import as_number, as_token, invalid_value, is_number, naming_field
from slots.requests.sampling_params import LOGIT_BIASES

if TYPE_CHECKING:
    from slots.llama import Vocab

TOKEN_ID = re.compile(r"-?[0-9]+")
MAX_ID_CHARACTERS = 11

LogitBias = tuple[tuple[int, float], ...]


def as_logit_bias(name: str, value: object, vocab: "Vocab") -> LogitBias:
    """Returns what is added to the logit of each token; -inf for one that is excluded. A string stands for each of its
    tokens, and several entries for one token add up.

    Raises InvalidRequest for any other shape and for tokens outside the vocabulary.
    """
    biases: dict[int, float] = {}
    for target, spelled_bias in _entries(name, value):
        bias = -float("inf") if spelled_bias is False or spelled_bias is None else as_number(name, spelled_bias)
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
            if isinstance(entry, dict) and entry.keys() == {"token", "bias"}:  # as responses spell it
                yield entry["token"], entry["bias"]
            elif isinstance(entry, list) and len(entry) == 2:
                yield entry[0], entry[1]
            else:
                raise invalid_value(name, LOGIT_BIASES, value)
    else:
        raise invalid_value(name, LOGIT_BIASES, value)


def _tokens(name: str, target: object, vocab: "Vocab") -> list[int]:
    if isinstance(target, str):
        with naming_field(name):
            return vocab.tokenize(target, add_special=False, parse_special=False)
    if is_number(target):
        return [as_token(name, target, vocab.n_tokens)]
    raise invalid_value(name, LOGIT_BIASES, target)
