"""POST /v1/completions: OpenAI's completions."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from starlette.requests import Request

from server.api.llama.completion import read_completion, timings_json
from server.api.llama.infill import Gap, make_prompt, marks_of, read_mixed
from server.api.openai.errors import note_openai
from server.api.openai.logprobs import Logprobs, completion_logprobs_json, read_completion_logprobs
from server.api.openai.protocol import DONE, Envelope, Usage, finish_reason, usage_of, wants_usage
from server.generation.completion_output import Answer
from server.generation.endpoint import Asked, FinishedAnswer
from server.generation.options import CompletionOptions, read_n_choices, read_options
from server.generation.prompts import Prompt, each_prompt, read_prompts
from server.http.fields import Fields, expected, read_boolean, read_string
from server.settings import CompletionDefaults
from server.state import engine_of, settings_of, state_of
from slots.engine import Engine
from slots.errors import InvalidRequest
from slots.llama import Vocab
from slots.requests.events import Finished, Timings, Token, TokenProbabilities

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


def read_openai_completion(request: Request, fields: Fields) -> Asked:
    """Returns what a body asks for. Raises InvalidRequest, which names the field, and ApiError (501) for an option that
    is not supported."""
    engine, settings = engine_of(request), settings_of(request)
    options = read_completions_options(fields, engine, settings.openai_defaults)
    prompts = _read_prompts(request, fields, options.completion)
    envelope = Envelope.new("cmpl", settings.alias, engine.fingerprint)
    return options.completion, prompts, OpenAiCompletionJson(engine.vocab, envelope, options)


def _read_prompts(request: Request, fields: Fields, options: CompletionOptions) -> list[Prompt]:
    """With a suffix, what is asked for is the text between each prompt and it."""
    engine, state = engine_of(request), state_of(request)
    suffix = read_string(fields, "suffix", "")
    if not suffix:
        system_prompt = options.system_prompt or state.system_prompt
        return read_prompts(fields.get("prompt"), engine, system_prompt.tokens)
    marks, behind = marks_of(engine.vocab), read_mixed("suffix", suffix, engine.vocab)

    def read(name: str, prompt: object) -> Prompt:
        gap = Gap(read_mixed(name, prompt, engine.vocab), behind)
        made = make_prompt(gap, marks, engine, options.n_predict, suffix_first=state.settings.spm_infill)
        return replace(made, spelled=prompt) if isinstance(prompt, str) else made

    return [read(name, prompt) for name, prompt in each_prompt(fields.get("prompt"), engine)]


def read_either_completion(request: Request, fields: Fields) -> Asked:
    """Returns what a body asks for at the path that both dialects have: it is OpenAI's if it names a model, as OpenAI's
    clients always do. Raises what the others raise."""
    if fields.get("model") is None:
        return read_completion(request, fields)
    note_openai(request)
    return read_openai_completion(request, fields)
