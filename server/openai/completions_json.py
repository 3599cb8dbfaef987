"""The JSON of OpenAI's completions: the chunks of a stream and the whole."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from server.api.openai.completions_options import OpenAiOptions
from server.api.openai.finish_reason import finish_reason
from server.api.openai.stream_options import DONE
from server.api.openai.usage import Usage, usage_of

from server.api.openai.logprobs import completion_logprobs_json
from server.api.openai.protocol import Envelope
from server.completion_json import timings_json
from server.generation.completion_output import Answer
from server.generation.endpoint import FinishedAnswer
from slots.llama import Vocab
from slots.requests.events import Finished, Timings, Token, TokenProbabilities

KIND = "text_completion"


@dataclass(frozen=True, slots=True)
class OpenAiCompletionJson:
    """What the choices for one request have in common."""

    vocab: Vocab
    envelope: Envelope
    options: OpenAiOptions
    _n_told: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Characters of each choice's text so far."""
    end_of_stream: ClassVar[bytes] = DONE

    def token_events(self, answer: Answer, token: Token) -> list[object]:
        """Returns the chunk for a token; of the first one, the prompt is a part if it is to be echoed."""
        events: list[object] = []
        if answer.n_tokens == 1 and self.options.echo:
            events.append(self._chunk(self._choice(answer, self._echoed(answer))))
        positions = [token.probabilities] if token.probabilities else []
        if token.text or positions:
            events.append(self._chunk(self._choice(answer, token.text, positions), token.timings))
        return events

    def last_events(self, answer: Answer, finished: Finished) -> list[object]:
        """Returns the chunk that says why a choice ended."""
        return [self._chunk(self._choice(answer, "", finished=finished), finished.timings)]

    def closing_events(self, answers: Sequence[FinishedAnswer]) -> list[object]:
        """Returns the chunk with what all choices took, if that was asked for."""
        if not self.options.include_usage:
            return []
        return [{**self.envelope.around(KIND, []), "usage": self._usage(answers).json()}]

    def body(self, answers: Sequence[FinishedAnswer]) -> object:
        """Returns the whole: of each prompt the choices that were asked for, which are the most likely ones."""
        chosen = [pair for choices in self._by_prompt(answers) for pair in self._best(choices)]
        choices = []
        for index, (answer, finished) in enumerate(chosen):
            text = self._echoed(answer) if self.options.echo else ""
            choice = self._choice(answer, answer.content, answer.probabilities, finished)
            choices.append({**choice, "index": index, "text": text + answer.content})
        whole = self.envelope.around(KIND, choices)
        return {**whole, "usage": self._usage(answers).json(), "timings": timings_json(answers[0][1].timings)}

    def _by_prompt(self, answers: Sequence[FinishedAnswer]) -> list[Sequence[FinishedAnswer]]:
        n_choices = self.options.completion.n_choices
        return [answers[start : start + n_choices] for start in range(0, len(answers), n_choices)]

    def _best(self, choices: Sequence[FinishedAnswer]) -> Sequence[FinishedAnswer]:
        """The most likely ones of those that were generated for one prompt, by the log probability per token."""
        if len(choices) == self.options.n_returned:
            return choices
        return sorted(choices, key=lambda choice: _mean_logprob(choice[0]), reverse=True)[: self.options.n_returned]

    def _echoed(self, answer: Answer) -> str:
        prompt = answer.prompt
        if isinstance(prompt.spelled, str):
            return prompt.spelled
        return self.vocab.detokenize(prompt.tokens[prompt.n_system :]).decode(errors="replace")

    def _choice(
        self,
        answer: Answer,
        text: str,
        positions: Sequence[TokenProbabilities] = (),
        finished: Finished | None = None,
    ) -> dict[str, object]:
        logprobs = self.options.logprobs
        shown = logprobs.shown and positions
        offset = self._n_told[answer.index]
        self._n_told[answer.index] += len(text)
        return {
            "index": answer.index,
            "text": text,
            "logprobs": completion_logprobs_json(positions, logprobs.n_top, self.vocab, offset) if shown else None,
            "finish_reason": finish_reason(finished) if finished else None,
        }

    def _chunk(self, choice: dict[str, object], timings: Timings | None = None) -> dict[str, object]:
        chunk = self.envelope.around(KIND, [choice])
        return {**chunk, "timings": timings_json(timings)} if timings else chunk

    def _usage(self, answers: Sequence[FinishedAnswer]) -> Usage:
        by_prompt = self._by_prompt(answers)
        return sum((usage_of([finished for _, finished in choices]) for choices in by_prompt), Usage())


def _mean_logprob(answer: Answer) -> float:
    positions = answer.probabilities
    return sum(position.chosen.logprob for position in positions) / max(len(positions), 1)
