"""The options that say how the next token is chosen: JSON to the engine's terms."""

from collections.abc import Callable
from dataclasses import fields as fields_of
from dataclasses import replace
from functools import partial
from typing import Any

from server.generation.sampler_order import as_samplers
from server.http.fields import Fields, as_boolean, as_integer, as_number, as_strings, expected, first_given
from server.logit_bias import as_logit_bias
from slots.llama import Vocab
from slots.requests.sampling_params import SamplingParams

Reader = Callable[[str, object], Any]

READERS_BY_TYPE: dict[type, Reader] = {bool: as_boolean, int: as_integer, float: as_number}
PLAIN_READERS = {
    option.name: READERS_BY_TYPE[type(option.default)]
    for option in fields_of(SamplingParams)
    if type(option.default) in READERS_BY_TYPE
}
"""Of the options that are one number, or true or false."""
OTHER_NAMES = {"n_probs": ("logprobs",)}


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
        spelling = first_given(fields, name, *OTHER_NAMES.get(name, ()))
        value = fields.get(spelling)
        if value is not None:
            given[name] = read(spelling, value)
    return replace(defaults, **given)


def _as_sequence_breakers(name: str, value: object) -> tuple[str, ...]:
    breakers = as_strings(name, value)
    if not all(breakers):
        raise expected(name, "strings that are not empty", value)
    return breakers
