"""Why a choice ended, in OpenAI's words."""

from typing import Literal

from slots.requests.events import Finished, StopReason

FinishReason = Literal["stop", "length", "tool_calls"]


def finish_reason(finished: Finished, *, calls_tools: bool = False) -> FinishReason:
    """Returns the reason; a text that was cut off is too long whatever it was about to say."""
    if finished.reason is StopReason.LIMIT:
        return "length"
    return "tool_calls" if calls_tools else "stop"
