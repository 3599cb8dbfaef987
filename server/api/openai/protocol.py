"""What all parts of one answer have in common."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from server.http.fields import Fields, invalid_value, read_boolean
from slots.requests.events import Finished, StopReason


@dataclass(frozen=True, slots=True)
class ResponseBase:
    response_id: str
    created: int
    """Seconds since 1970."""
    model: str
    fingerprint: str
    """Of the model's file and the layout of its context."""

    @classmethod
    def new(cls, prefix: str, model: str, engine_fingerprint: str) -> Self:
        """Returns one of an answer that begins now, with an id of its own."""
        answer_id = f"{prefix}-{secrets.token_urlsafe(18)}"
        return cls(answer_id, int(time.time()), model, f"fp_{engine_fingerprint[:12]}")

    def wrap(self, kind: str, choices: list[dict[str, object]]) -> dict[str, object]:
        """Returns the JSON object of `kind` with these choices."""
        return {
            "id": self.response_id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "choices": choices,
        }


@dataclass(frozen=True, slots=True)
class Usage:
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    """Of the prompt, taken from what had been computed before."""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
        )

    def json(self) -> dict[str, object]:
        """Returns it as OpenAI spells it."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
        }


def total_usage(choices: Sequence[Finished]) -> Usage:
    """Returns what several choices for one prompt took together. They share the prompt: it counts once, and as cached
    only as far as the first of them found it."""
    return Usage(
        prompt_tokens=max(choice.n_prompt_tokens for choice in choices),
        completion_tokens=sum(choice.timings.predicted_n for choice in choices),
        cached_tokens=min(choice.timings.cached_n for choice in choices),
    )


FinishReason = Literal["stop", "length", "tool_calls"]


def finish_reason(finished: Finished, *, calls_tools: bool = False) -> FinishReason:
    """Returns the reason; a text that was cut off is too long whatever it was about to say."""
    if finished.reason is StopReason.LIMIT:
        return "length"
    return "tool_calls" if calls_tools else "stop"


DONE_EVENT = b"data: [DONE]\n\n"
"""The last event."""


def wants_usage(fields: Fields) -> bool:
    """Returns whether a stream is to end with what it took. Raises InvalidRequest, which names the field."""
    options = fields.get("stream_options")
    if options is None:
        return False
    if not isinstance(options, dict):
        raise invalid_value("stream_options", "an object with include_usage", options)
    return read_boolean(
        {"stream_options.include_usage": options.get("include_usage")}, "stream_options.include_usage", False
    )
