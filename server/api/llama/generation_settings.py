"""The options of a completion as answers spell them back."""

from dataclasses import fields

from server.generation.constraint import constraint_json
from server.settings import CompletionDefaults, Constraint
from slots.requests.request import CompletionRequest
from slots.requests.sampling_params import SamplingParams

USER_TEXT_OPTIONS = ("dry_sequence_breakers", "logit_bias")
"""Sampling options that hold text or tokens of the user's."""


def options_json(options: CompletionRequest | CompletionDefaults) -> dict[str, object]:
    """Returns the options by their names, but for those that hold text or tokens of the user's."""
    names = [option.name for option in fields(SamplingParams) if option.name not in USER_TEXT_OPTIONS]
    return {
        **{name: getattr(options.sampling, name) for name in names},
        "n_predict": options.n_predict,
        "max_tokens": options.n_predict,
        "n_keep": options.n_keep,
        "cache_prompt": options.cache_prompt,
        "n_cache_reuse": options.n_cache_reuse,
        "n_indent": options.n_indent,
        "t_max_predict_ms": options.t_max_predict_ms,
        "speculative.n_max": options.n_draft,
        "timings_per_token": options.timings_per_token,
    }


def all_options_json(
    options: CompletionRequest | CompletionDefaults, constraint: Constraint | None
) -> dict[str, object]:
    """Returns the options by their names, and what the text has to match, for whom they belong to."""
    return {
        **options_json(options),
        **constraint_json(constraint),
        "dry_sequence_breakers": options.sampling.dry_sequence_breakers,
        "logit_bias": _logit_bias_json(options.sampling),
    }


def _logit_bias_json(sampling: SamplingParams) -> list[dict[str, object]]:
    """False is the bias that rules a token out, since JSON has no infinity."""
    return [{"token": token, "bias": bias if bias > -float("inf") else False} for token, bias in sampling.logit_bias]
