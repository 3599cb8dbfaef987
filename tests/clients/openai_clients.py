"""OpenAI's own clients, connected to our server."""

from typing import Any

import openai
from openai.types import Completion

SECONDS = 300
STORY = "Once upon a time"
MODEL = "any"
"""The server has one model, whatever its name."""


def openai_client(server: str, base: str = "/v1", key: str = "none") -> openai.OpenAI:
    """Returns a client without retries."""
    return openai.OpenAI(base_url=server + base, api_key=key, max_retries=0, timeout=SECONDS)


def async_openai_client(server: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{server}/v1", api_key="none", max_retries=0, timeout=SECONDS)


def complete(server: str, **options: Any) -> Completion:
    """Returns a short deterministic completion, changed by `options`."""
    fields: dict[str, Any] = {"model": MODEL, "prompt": STORY, "max_tokens": 8, "temperature": 0} | options
    completion: Completion = openai_client(server).completions.create(**fields)
    return completion


def checked_usage(completion: Any) -> tuple[int, int]:
    """Returns the tokens of the prompt and of the choices, after checking their sum."""
    usage = completion.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    return usage.prompt_tokens, usage.completion_tokens
