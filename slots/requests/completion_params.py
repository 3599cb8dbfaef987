"""Completion parameters: options of a completion, besides those that choose its tokens."""

from typing import Annotated

from pydantic import AfterValidator, AliasChoices, Field

from slots.requests.params import Boolean, Integer, Params, Takes, expected

MAX_STOP_STRINGS = 256
"""Each is searched for after every token."""


def _check_stop(stop: tuple[str, ...]) -> tuple[str, ...]:
    if not all(stop):
        raise expected("strings that are not empty", got=list(stop))
    if len(stop) > MAX_STOP_STRINGS:
        raise expected(f"at most {MAX_STOP_STRINGS} strings", got=len(stop))
    return stop


StopStrings = Annotated[tuple[str, ...], Takes("a string or a list of strings"), AfterValidator(_check_stop)]


class CompletionParams(Params):
    """Options of a completion, besides those that choose its tokens."""

    n_predict: Annotated[Integer, Takes("-1 or more")] = Field(
        -1,
        ge=-1,
        validation_alias=AliasChoices("n_predict", "max_completion_tokens", "max_tokens"),
        description=(
            "maximum number of tokens to generate; -1 = until the context is full, 0 = only evaluate the prompt"
        ),
    )
    stop: StopStrings = Field((), description="strings that end the generation; they are not part of its text")
    n_keep: Annotated[Integer, Takes("-1 or more")] = Field(
        0, ge=-1, description="number of prompt tokens that a context shift keeps; -1 = all"
    )
    slot_id: Annotated[Integer, Takes("-1 or the number of a slot")] = Field(
        -1,
        ge=-1,
        validation_alias=AliasChoices("slot_id", "id_slot"),
        description="slot to use, waiting for it if it is busy; -1 = any slot",
    )
    cache_prompt: Boolean = Field(True, description="reuse the cached prefix of the prompt")
    n_cache_reuse: Annotated[Integer, Takes("0 or more")] = Field(
        0,
        ge=0,
        description=(
            "minimum length of a chunk to reuse after a changed part of the prompt, by shifting it; 0 = disabled"
        ),
    )
    n_indent: Annotated[Integer, Takes("0 or more")] = Field(
        0,
        ge=0,
        description="minimum indentation of a line, in characters; the text ends at a line with less; 0 = disabled",
    )
    t_max_predict_ms: Annotated[Integer, Takes("-1 or more")] = Field(
        0, ge=-1, description="time limit in milliseconds; the text ends at the next line break after it; 0 = disabled"
    )
    n_draft: Annotated[Integer, Takes("-1 or more")] = Field(
        -1,
        ge=-1,
        validation_alias=AliasChoices("speculative.n_max"),
        description="maximum number of tokens to draft at once; 0 = no drafts, -1 = as the server was started",
    )
    timings_per_token: Boolean = Field(False, description="return token counts and timings with each streamed token")
    backend_sampling: Boolean = Field(
        True, description="let llama.cpp find the largest logits if the server does so; the tokens are the same"
    )
