"""The JSON of OpenAI's chats: the chunks of a stream and the whole."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

from server.api.llama.completion import timings_json
from server.api.openai.chat_request import ChatOptions
from server.api.openai.logprobs import chat_logprobs_json
from server.api.openai.protocol import DONE, Envelope, FinishReason, finish_reason, usage_of
from server.chat.tools.output_parser import CallArguments, CallStart, Content, Piece, Reasoning, TurnParser
from server.generation.completion_output import Answer
from server.generation.endpoint import FinishedAnswer
from slots.llama import Vocab
from slots.requests.events import Finished, Timings, Token, TokenProbabilities


def delta(piece: Piece) -> dict[str, object]:
    """Returns what a chunk adds to the message."""
    match piece:
        case Content(text):
            return {"content": text}
        case Reasoning(text):
            return {"reasoning_content": text}
        case CallStart(index, call_id, name):
            function = {"name": name, "arguments": ""}
            return {"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": function}]}
        case CallArguments(index, text):
            return {"tool_calls": [{"index": index, "function": {"arguments": text}}]}


@dataclass(slots=True)
class _Call:
    call_id: str
    name: str
    arguments: str = ""


@dataclass(slots=True)
class ChatMessage:
    content: str = ""
    reasoning: str = ""
    calls: list[_Call] = field(default_factory=list)

    @classmethod
    def of(cls, pieces: Iterable[Piece]) -> Self:
        """Returns the message that the pieces are of."""
        message = cls()
        for piece in pieces:
            match piece:
                case Content(text):
                    message.content += text
                case Reasoning(text):
                    message.reasoning += text
                case CallStart(_, call_id, name):
                    message.calls.append(_Call(call_id, name))
                case CallArguments(index, text):
                    message.calls[index].arguments += text
        return message

    def json(self) -> dict[str, object]:
        """Returns it as OpenAI spells it. Content is null only beside calls."""
        message: dict[str, object] = {"role": "assistant", "content": self.content}
        if self.calls:
            message["content"] = self.content or None
            message["tool_calls"] = [
                {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in self.calls
            ]
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        return {**message, "refusal": None}


WHOLE = "chat.completion"
CHUNK = "chat.completion.chunk"


@dataclass(slots=True)
class _Choice:
    """What is known of one choice of a stream."""

    parser: TurnParser
    calls_tools: bool = False
    untold: list[TokenProbabilities] = field(default_factory=list)
    """Of tokens whose text is held back."""


class ChatJson:
    """What the choices for one chat have in common."""

    end_of_stream: ClassVar[bytes] = DONE

    def __init__(self, vocab: Vocab, envelope: Envelope, options: ChatOptions) -> None:
        self._vocab = vocab
        self._envelope = envelope
        self._options = options
        self._choices: dict[int, _Choice] = {}

    def token_events(self, answer: Answer, token: Token) -> list[object]:
        """Returns the chunks for a token: none while its text may still become a tag."""
        choice, events = self._begun(answer.index)
        if token.probabilities is not None:
            choice.untold.append(token.probabilities)
        events += self._piece_events(answer.index, choice, choice.parser.feed(token.text), token.timings)
        return events

    def last_events(self, answer: Answer, finished: Finished) -> list[object]:
        """Returns the chunks with the text that was held back, and the one that says why a choice ended."""
        choice, events = self._begun(answer.index)
        del self._choices[answer.index]
        events += self._piece_events(answer.index, choice, choice.parser.finish(), None)
        reason = _reason(finished, choice.parser, calls_tools=choice.calls_tools)
        events.append(self._chunk(answer.index, {}, choice.untold, reason, finished.timings))
        return events

    def closing_events(self, answers: Sequence[FinishedAnswer]) -> list[object]:
        """Returns the chunk with what all choices took, if that was asked for."""
        if not self._options.include_usage:
            return []
        return [{**self._envelope.around(CHUNK, []), "usage": self._usage(answers)}]

    def body(self, answers: Sequence[FinishedAnswer]) -> object:
        """Returns the whole."""
        choices = [self._whole(answer, finished) for answer, finished in answers]
        return {
            **self._envelope.around(WHOLE, choices),
            "usage": self._usage(answers),
            "timings": timings_json(answers[0][1].timings),
        }

    def _begun(self, index: int) -> tuple[_Choice, list[object]]:
        """The choice, and the chunk that it begins with if it had none yet."""
        if index in self._choices:
            return self._choices[index], []
        choice = self._choices[index] = _Choice(self._options.parser())
        return choice, [self._chunk(index, {"role": "assistant", "content": None})]

    def _piece_events(
        self, index: int, choice: _Choice, pieces: Sequence[Piece], timings: Timings | None
    ) -> list[object]:
        events: list[object] = []
        for piece in pieces:
            choice.calls_tools = choice.calls_tools or isinstance(piece, CallStart)
            events.append(self._chunk(index, delta(piece), choice.untold, None, timings))
            choice.untold = []
        return events

    def _chunk(
        self,
        index: int,
        message: dict[str, object],
        positions: Sequence[TokenProbabilities] = (),
        reason: str | None = None,
        timings: Timings | None = None,
    ) -> dict[str, object]:
        choice = {"index": index, "delta": message, "logprobs": self._logprobs(positions), "finish_reason": reason}
        chunk = self._envelope.around(CHUNK, [choice])
        return {**chunk, "timings": timings_json(timings)} if timings else chunk

    def _whole(self, answer: Answer, finished: Finished) -> dict[str, object]:
        parser = self._options.parser()
        message = ChatMessage.of([*parser.feed(answer.content), *parser.finish()])
        return {
            "index": answer.index,
            "message": message.json(),
            "logprobs": self._logprobs(answer.probabilities),
            "finish_reason": _reason(finished, parser, calls_tools=bool(message.calls)),
        }

    def _logprobs(self, positions: Sequence[TokenProbabilities]) -> dict[str, object] | None:
        logprobs = self._options.logprobs
        return chat_logprobs_json(positions, logprobs.n_top, self._vocab) if logprobs.shown and positions else None

    def _usage(self, answers: Sequence[FinishedAnswer]) -> dict[str, object]:
        return usage_of([finished for _, finished in answers]).json()


def _reason(finished: Finished, parser: TurnParser, *, calls_tools: bool) -> FinishReason:
    """A call that a stop string cuts off cannot be carried out."""
    return finish_reason(finished, calls_tools=calls_tools and not parser.ends_within_call)
