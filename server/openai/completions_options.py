"""The options of OpenAI's completions, on top of those that all completions have."""

from dataclasses import dataclass

from server.api.openai.stream_options import wants_usage

from server.api.openai.logprobs import Logprobs, read_completion_logprobs
from server.choices import read_n_choices
from server.generation.options import CompletionOptions, read_options
from server.http.fields import Fields, expected, read_boolean
from server.settings import CompletionDefaults
from slots.engine import Engine
from slots.errors import InvalidRequest

DEFAULT_MAX_TOKENS = 16
"""As OpenAI has it."""


@dataclass(frozen=True, slots=True)
class OpenAiOptions:
    completion: CompletionOptions
    logprobs: Logprobs
    n_returned: int
    """Choices to return for each prompt, the best of those that are generated."""
    echo: bool
    """Whether the prompt is a part of the text."""
    include_usage: bool


def read_completions_options(fields: Fields, engine: Engine, defaults: CompletionDefaults) -> OpenAiOptions:
    """Returns the options of a request to `engine`; `defaults` stand for those that it leaves out.

    Raises InvalidRequest, which names the field.
    """
    n_returned = read_n_choices(fields, "n")
    n_generated = read_n_choices(fields, "best_of", n_returned)
    if n_generated < n_returned:
        raise expected("best_of", f"no less than n, {n_returned}", n_generated)
    if n_generated > n_returned and fields.get("stream"):
        raise InvalidRequest("best_of", "expected no more than n in a stream, since the best is known only at its end")
    logprobs = read_completion_logprobs(fields)
    echo = read_boolean(fields, "echo", False)
    if echo and logprobs.shown:
        raise InvalidRequest("echo", "expected no logprobs with it: those of the prompt are not computed")
    n_probs = max(logprobs.n_probs, 1 if n_generated > n_returned else 0)
    if defaults.n_predict < 0:
        fields = {"max_tokens": DEFAULT_MAX_TOKENS, **_given(fields)}
    options = read_options({**fields, "n": n_generated, "n_probs": n_probs, "logprobs": None}, engine, defaults)
    return OpenAiOptions(options, logprobs, n_returned, echo, wants_usage(fields))


def _given(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}
