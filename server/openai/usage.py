"""How many tokens an answer took."""

from collections.abc import Sequence
from dataclasses import dataclass

from slots.requests.events import Finished


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


def usage_of(choices: Sequence[Finished]) -> Usage:
    """Returns what several choices for one prompt took together. They share the prompt: it counts once, and as cached
    only as far as the first of them found it."""
    return Usage(
        prompt_tokens=max(choice.n_prompt_tokens for choice in choices),
        completion_tokens=sum(choice.timings.predicted_n for choice in choices),
        cached_tokens=min(choice.timings.cached_n for choice in choices),
    )
