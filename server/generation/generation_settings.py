"""The options of a completion as responses report them."""

from typing import TYPE_CHECKING

from server.options.constraint import Constraint, constraint_json
from slots.llama import Vocab
from slots.requests.completion_params import CompletionParams
from slots.requests.params import get_spellings
from slots.requests.sampling_params import SamplingParams

if TYPE_CHECKING:
    from slots.engine import Engine

USER_TEXT_OPTIONS = frozenset({"dry_sequence_breakers", "logit_bias"})
"""Sampling options that hold text or tokens of the user's."""
_SAMPLING = [name for name in SamplingParams.model_fields if name not in USER_TEXT_OPTIONS]
_SPELLINGS = {
    name: get_spellings(name, field)[0]
    for name, field in CompletionParams.model_fields.items()
    if name not in ("stop", "slot_id", "backend_sampling")
}


def options_json(params: CompletionParams, sampling: SamplingParams) -> dict[str, object]:
    """Returns the options by their names, without those that hold text or tokens of the user's."""
    return {
        **{name: getattr(sampling, name) for name in _SAMPLING},
        **{spelling: getattr(params, name) for name, spelling in _SPELLINGS.items()},
        "max_tokens": params.n_predict,
    }


def all_options_json(
    params: CompletionParams, sampling: SamplingParams, constraint: Constraint | None, vocab: Vocab
) -> dict[str, object]:
    """Returns the options by their names, and what the text has to match, for the user that they belong to."""
    return {
        **options_json(params, sampling),
        **constraint_json(constraint),
        "dry_sequence_breakers": sampling.dry_sequence_breakers,
        "logit_bias": _logit_bias_json(sampling, vocab),
    }


def output_settings_json(
    engine: "Engine", reasoning_format: str, *, is_parsed: bool = False, stream: bool = False
) -> dict[str, object]:
    """Returns how tokens are drafted and how the text is taken apart, in llama.cpp's words. `is_parsed` is whether
    calls or thoughts are looked for in it."""
    types = ("ngram-simple" if spec_type == "ngram" else spec_type for spec_type in engine.spec_types)
    return {
        "speculative.types": ",".join(types) or "none",
        "chat_format": "peg-native" if is_parsed else "Content-only",
        "reasoning_format": reasoning_format,
        "reasoning_in_content": stream and reasoning_format == "deepseek-legacy",
    }


def _logit_bias_json(sampling: SamplingParams, vocab: Vocab) -> list[dict[str, object]]:
    """The bias of a token that the request excludes is false, as it may be spelled there; that of a token excluded by
    `ignore_eos` is null, since JSON has no infinity."""
    spelled: dict[int, float | bool | None] = {
        token: bias if bias > -float("inf") else False for token, bias in sampling.logit_bias
    }
    if sampling.ignore_eos:
        spelled = {**dict.fromkeys(sorted(vocab.end_of_generation)), **spelled}
    return [{"token": token, "bias": bias} for token, bias in spelled.items()]
