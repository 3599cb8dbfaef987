"""ProbeTurns: the turns of calls as a template writes them, without what does not belong to the calls."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from itertools import takewhile

from server.chat.messages import Message
from server.chat.template.probes import ANSWER, CALLS, CONTENT, USER, ProbeCall, call_message
from server.chat.template.template import ChatTemplate

_TAG = re.compile(r"<[^<>\s]+>|\[[A-Z_/]+\]")
_UNITS = re.compile(r"<[^<>\s]*>|\[[A-Z_/]+\]|.", re.DOTALL)
"""Tags, which may be tokens and are not split, or single characters."""


class ProbeTurns:
    """Renders turns after the template's generation prompt."""

    def __init__(self, template: ChatTemplate, ends: Collection[str]) -> None:
        """`ends` are the texts of end-of-generation tokens. Raises InvalidRequest if the template fails."""
        self._template = template
        self._ends = [end for end in ends if end]
        self._tools = [call.tool for call in CALLS] if template.capabilities.supports_tools else None
        self.prompt = self._render([USER], add_generation_prompt=True)
        self.answered = self._render([USER, ANSWER | {"content": CONTENT}])
        after = self.answered.partition(CONTENT)[2]
        for tags in template.answer_format.content:
            after = after.removeprefix(tags.end)
        self._after_answer = after.strip()
        """What ends a turn."""

    def of_calls(self, calls: Sequence[ProbeCall]) -> str | None:
        """Returns what a model has to write for the calls; None if it is unknown where that begins. Raises
        InvalidRequest if the template fails."""
        words = [word for call in calls for word in (call.name, call.call_id, call.value)]
        return self._turn(call_message(calls), words)

    def of_arguments(self, arguments: Mapping[str, object], last: str) -> str | None:
        """Returns the same for one call with other arguments than strings; `last` is a word after which the turn may
        end."""
        call = CALLS[0]
        function = {"name": call.name, "arguments": json.dumps(arguments, ensure_ascii=False)}
        message: Message = {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": call.call_id, "type": "function", "function": function}],
        }
        return self._turn(message, [call.name, call.call_id, last])

    def _turn(self, message: Message, words: Sequence[str]) -> str | None:
        called = self._render([USER, message])
        turn = self._after_prompt(called)
        if turn is None:
            return None
        turn = self._template.answer_format.without_empty_parts(turn).rstrip()
        last = max(turn.rfind(word) for word in words if word)
        turn = turn[: max(len(turn) - len(common_suffix(turn, self._after_answer)), last)]
        ends = [*self._ends, *([self._after_answer] if _TAG.fullmatch(self._after_answer) else [])]
        end = min((index for text in ends if (index := turn.find(text, last)) >= 0), default=len(turn))
        return turn[:end].strip()

    def _after_prompt(self, called: str) -> str | None:
        markers = self._template.answer_format.reasoning
        bare = self.prompt.rstrip()
        bare = bare.removesuffix(markers.end).rstrip() if markers and not markers.is_in_every_prompt else bare
        bare = bare.removesuffix(markers.start).rstrip() if markers else bare
        prefixes = (self.prompt.rstrip(), bare, self.answered.partition(CONTENT)[0].rstrip())
        matching = [prefix for prefix in prefixes if called.startswith(prefix)]
        return called.removeprefix(max(matching, key=len)) if matching else None

    def _render(self, messages: Sequence[Message], *, add_generation_prompt: bool = False) -> str:
        return self._template.render(messages, tools=self._tools, add_generation_prompt=add_generation_prompt)


def common_prefix(one: str, other: str) -> str:
    """Returns what two texts begin with, in whole tags."""
    return "".join(_common_units(_UNITS.findall(one), _UNITS.findall(other)))


def common_suffix(one: str, other: str) -> str:
    return "".join(_common_units(_UNITS.findall(one)[::-1], _UNITS.findall(other)[::-1])[::-1])


def _common_units(ours: Sequence[str], theirs: Sequence[str]) -> list[str]:
    return [one for one, _ in takewhile(lambda pair: pair[0] == pair[1], zip(ours, theirs, strict=False))]
