"""Probes: messages, calls and tools that are rendered to find out what a chat template supports and how it writes
calls.

No template contains their words, and none shortens or escapes them, so they are found again in the rendered text.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from server.chat.messages import Json, Message

ArgumentsAs = Literal["object", "string"]

CONTENT = "haystack"
"""Content that is searched for in the rendered text."""
THOUGHT = "straw thoughts"
"""Reasoning that is searched for."""
USER: Message = {"role": "user", "content": "Hello"}
OTHER_USER: Message = {"role": "user", "content": "Something else."}
"""Differs from USER in its first character and in its length."""
ANSWER: Message = {"role": "assistant", "content": "Hello"}
DOCUMENT: Json = {"title": "Needles", "text": CONTENT}


@dataclass(frozen=True, slots=True)
class ProbeCall:
    """A call with one argument."""

    call_id: str
    name: str
    argument: str
    value: str

    @property
    def arguments(self) -> dict[str, str]:
        return {self.argument: self.value}

    @property
    def arguments_json(self) -> str:
        return json.dumps(self.arguments)

    @property
    def tool(self) -> Json:
        """The tool that is called, as a request defines it."""
        properties = {self.argument: {"type": "string", "description": "An argument"}}
        parameters = {"type": "object", "properties": properties, "required": [self.argument]}
        return {
            "type": "function",
            "function": {"name": self.name, "description": "A tool", "parameters": parameters},
        }


CALLS = (
    ProbeCall("nEEdle001", "needle_alpha", "straw_one", "hay one"),
    ProbeCall("nEEdle002", "needle_gamma", "straw_two", "hay two"),
    ProbeCall("nEEdle003", "needle_omega", "straw_three", "hay three"),
)
"""Their ids are nine letters and digits: some templates refuse any other."""
LONG_ID = "call_needle_0123456789"


def call_message(calls: Sequence[ProbeCall], arguments_as: ArgumentsAs = "string") -> Message:
    """Returns the assistant's message of some calls, with arguments as JSON text or as an object."""
    tool_calls: list[Json] = [
        {
            "id": call.call_id,
            "type": "function",
            "function": {
                "name": call.name,
                "arguments": call.arguments if arguments_as == "object" else call.arguments_json,
            },
        }
        for call in calls
    ]
    return {"role": "assistant", "content": "", "tool_calls": tool_calls}
