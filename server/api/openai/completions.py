"""POST /v1/completions: OpenAI's completions."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from starlette.requests import Request

from server.api.llama.completion import read_completion, timings_json
from server.api.llama.infill import InfillContext, get_fim_tokens, make_infill_prompt, read_mixed
from server.api.openai.errors import use_openai_errors
from server.api.openai.logprobs import LogprobsOptions, completion_logprobs_json, read_completion_logprobs
from server.api.openai.protocol import DONE_EVENT, ResponseBase, Usage, finish_reason, total_usage, wants_usage
from server.generation.completion_output import CompletionOutput
from server.generation.endpoint import FinishedOutput, ParsedRequest
from server.generation.options import CompletionOptions, read_n_choices, read_options
from server.generation.prompts import Prompt, read_prompts, split_prompts
from server.http.fields import Fields, invalid_value, read_boolean, read_string
from server.settings import CompletionDefaults
from server.state import get_engine, get_settings, get_state
from slots.engine import Engine
from slots.errors import InvalidRequest
from slots.llama import Vocab
from slots.requests.events import Finished, PositionLogprobs, Timings, Token

DEFAULT_MAX_TOKENS = 16
"""As OpenAI has it."""


@dataclass(frozen=True, slots=True)
class OpenAiCompletionOptions:
    completion: CompletionOptions
    logprobs: LogprobsOptions
    n_returned: int
    """Choices to return for each prompt, the best of those that are generated."""
    echo: bool
    """Whether the prompt is a part of the text."""
    include_usage: bool


def read_completions_options(fields: Fields, engine: Engine, defaults: CompletionDefaults) -> OpenAiCompletionOptions:
    """Returns the options of a request to `engine`; `defaults` stand for those that it leaves out.

    Raises InvalidRequest, which names the field.
    """
    n_returned = read_n_choices(fields, "n")
    n_generated = read_n_choices(fields, "best_of", n_returned)
    if n_generated < n_returned:
        raise invalid_value("best_of", f"no less than n, {n_returned}", n_generated)
    if n_generated > n_returned and fields.get("stream"):
        raise InvalidRequest("best_of", "expected no more than n in a stream, since the best is known only at its end")
    logprobs = read_completion_logprobs(fields)
    echo = read_boolean(fields, "echo", False)
    if echo and logprobs.enabled:
        raise InvalidRequest("echo", "expected no logprobs with it: those of the prompt are not computed")
    n_probs = max(logprobs.n_probs, 1 if n_generated > n_returned else 0)
    if defaults.n_predict < 0:
        fields = {"max_tokens": DEFAULT_MAX_TOKENS, **_without_nulls(fields)}
    options = read_options({**fields, "n": n_generated, "n_probs": n_probs, "logprobs": None}, engine, defaults)
    return OpenAiCompletionOptions(options, logprobs, n_returned, echo, wants_usage(fields))


def _without_nulls(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}


COMPLETION_OBJECT = "text_completion"


@dataclass(frozen=True, slots=True)
class OpenAiCompletionFormatter:
    """What the choices for one request have in common."""

    vocab: Vocab
    response_base: ResponseBase
    options: OpenAiCompletionOptions
    _text_offsets: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Characters of each choice's text so far."""
    end_of_stream: ClassVar[bytes] = DONE_EVENT

    def token_events(self, output: CompletionOutput, token: Token) -> list[object]:
        """Returns the chunk for a token; of the first one, the prompt is a part if it is to be echoed."""
        events: list[object] = []
        if output.n_tokens == 1 and self.options.echo:
            events.append(self._chunk(self._choice(output, self._prompt_text(output))))
        positions = [token.logprobs] if token.logprobs else []
        if token.text or positions:
            events.append(self._chunk(self._choice(output, token.text, positions), token.timings))
        return events

    def finish_events(self, output: CompletionOutput, finished: Finished) -> list[object]:
        """Returns the chunk that says why a choice ended."""
        return [self._chunk(self._choice(output, "", finished=finished), finished.timings)]

    def final_events(self, outputs: Sequence[FinishedOutput]) -> list[object]:
        """Returns the chunk with what all choices took, if that was asked for."""
        if not self.options.include_usage:
            return []
        return [{**self.response_base.wrap(COMPLETION_OBJECT, []), "usage": self._usage(outputs).json()}]

    def body(self, outputs: Sequence[FinishedOutput]) -> object:
        """Returns the whole: of each prompt the choices that were asked for, which are the most likely ones."""
        chosen = [pair for choices in self._by_prompt(outputs) for pair in self._best(choices)]
        choices = []
        for index, (answer, finished) in enumerate(chosen):
            text = self._prompt_text(answer) if self.options.echo else ""
            choice = self._choice(answer, answer.content, answer.logprobs, finished)
            choices.append({**choice, "index": index, "text": text + answer.content})
        whole = self.response_base.wrap(COMPLETION_OBJECT, choices)
        return {**whole, "usage": self._usage(outputs).json(), "timings": timings_json(outputs[0][1].timings)}

    def _by_prompt(self, answers: Sequence[FinishedOutput]) -> list[Sequence[FinishedOutput]]:
        n_choices = self.options.completion.n_choices
        return [answers[start : start + n_choices] for start in range(0, len(answers), n_choices)]

    def _best(self, choices: Sequence[FinishedOutput]) -> Sequence[FinishedOutput]:
        """The most likely ones of those that were generated for one prompt, by the log probability per token."""
        if len(choices) == self.options.n_returned:
            return choices
        return sorted(choices, key=lambda choice: _mean_logprob(choice[0]), reverse=True)[: self.options.n_returned]

    def _prompt_text(self, answer: CompletionOutput) -> str:
        prompt = answer.prompt
        if isinstance(prompt.original, str):
            return prompt.original
        return self.vocab.display_all(prompt.tokens[prompt.n_system :])

    def _choice(
        self,
        answer: CompletionOutput,
        text: str,
        positions: Sequence[PositionLogprobs] = (),
        finished: Finished | None = None,
    ) -> dict[str, object]:
        logprobs = self.options.logprobs
        shown = logprobs.enabled and positions
        offset = self._text_offsets[answer.index]
        self._text_offsets[answer.index] += len(text)
        return {
            "index": answer.index,
            "text": text,
            "logprobs": completion_logprobs_json(positions, logprobs.n_top, self.vocab, offset) if shown else None,
            "finish_reason": finish_reason(finished) if finished else None,
        }

    def _chunk(self, choice: dict[str, object], timings: Timings | None = None) -> dict[str, object]:
        chunk = self.response_base.wrap(COMPLETION_OBJECT, [choice])
        return {**chunk, "timings": timings_json(timings)} if timings else chunk

    def _usage(self, answers: Sequence[FinishedOutput]) -> Usage:
        by_prompt = self._by_prompt(answers)
        return sum((total_usage([finished for _, finished in choices]) for choices in by_prompt), Usage())


def _mean_logprob(answer: CompletionOutput) -> float:
    positions = answer.logprobs
    return sum(position.sampled.logprob for position in positions) / max(len(positions), 1)


def read_openai_completion(request: Request, fields: Fields) -> ParsedRequest:
    """Returns what a body asks for. Raises InvalidRequest, which names the field, and ApiError (501) for an option that
    is not supported."""
    engine, settings = get_engine(request), get_settings(request)
    options = read_completions_options(fields, engine, settings.openai_defaults)
    prompts = _read_prompts(request, fields, options.completion)
    envelope = ResponseBase.new("cmpl", settings.alias, engine.fingerprint)
    return options.completion, prompts, OpenAiCompletionFormatter(engine.vocab, envelope, options)


def _read_prompts(request: Request, fields: Fields, options: CompletionOptions) -> list[Prompt]:
    """With a suffix, what is asked for is the text between each prompt and it."""
    engine, state = get_engine(request), get_state(request)
    suffix = read_string(fields, "suffix", "")
    if not suffix:
        system_prompt = options.system_prompt or state.system_prompt
        return read_prompts(fields.get("prompt"), engine, system_prompt.tokens)
    marks, behind = get_fim_tokens(engine.vocab), read_mixed("suffix", suffix, engine.vocab)

    def read(name: str, prompt: object) -> Prompt:
        gap = InfillContext(read_mixed(name, prompt, engine.vocab), behind)
        made = make_infill_prompt(gap, marks, engine, options.n_predict, suffix_first=state.settings.spm_infill)
        return replace(made, original=prompt) if isinstance(prompt, str) else made

    return [read(name, prompt) for name, prompt in split_prompts(fields.get("prompt"), engine)]


def read_either_completion(request: Request, fields: Fields) -> ParsedRequest:
    """Returns what a body asks for at the path that both dialects have: it is OpenAI's if it names a model, as OpenAI's
    clients always do. Raises what the others raise."""
    if fields.get("model") is None:
        return read_completion(request, fields)
    use_openai_errors(request)
    return read_openai_completion(request, fields)
