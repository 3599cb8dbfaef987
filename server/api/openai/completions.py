"""POST /v1/completions: OpenAI's completions."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from starlette.requests import Request

from server.api.openai.logprobs import TextOffsets, completion_logprobs_json
from server.api.openai.protocol import (
    EVENTS,
    LogprobsOptions,
    OpenAiCompletionRequestBody,
    ResponseBase,
    Usage,
    finish_reason,
    total_usage,
)
from server.generation.cache_miss import work_json
from server.generation.completion_output import CompletionOutput, progress_json, timings_json
from server.generation.endpoint import FinishedOutput, ParsedRequest
from server.generation.generation_settings import output_settings_json
from server.generation.infill_prompt import InfillContext, get_fim_tokens, make_infill_prompt, read_mixed
from server.generation.prompts import Prompt, read_prompts, split_prompts
from server.generation.result import ResultContext, verbose_json
from server.http.event_stream import EventFormat
from server.http.fields import Fields, invalid_value
from server.state import ServerState, get_engine, get_state
from slots.engine import Engine
from slots.errors import InvalidRequest
from slots.requests.events import Finished, PositionLogprobs, Progress, Timings, Token
from slots.requests.media import text_tokens

COMPLETION_OBJECT = "text_completion"


@dataclass(frozen=True, slots=True)
class OpenAiCompletionFormatter:
    """Formats the response to one request."""

    context: ResultContext
    response_base: ResponseBase
    options: OpenAiCompletionRequestBody
    n_generated: int
    """Choices generated for each prompt, of which `options.n` are returned."""
    logprobs: LogprobsOptions
    _text_offsets: dict[int, TextOffsets] = field(default_factory=dict)
    """Of each choice's tokens."""
    event_format: ClassVar[EventFormat] = EVENTS

    def token_events(self, output: CompletionOutput, token: Token) -> list[object]:
        """Returns the chunk for a token, after one with the prompt if it is to be echoed."""
        events: list[object] = []
        if output.n_tokens == 1 and self.options.echo:
            events.append(self._chunk(self._choice(output, self._prompt_text(output))))
        positions = [token.logprobs] if token.logprobs else []
        if token.text or positions:
            events.append(self._chunk(self._choice(output, token.text, positions), token.timings))
        return events

    def progress_events(self, output: CompletionOutput, progress: Progress) -> list[object]:
        """Returns the chunk for a place in the queue, or for the progress of the prompt, without text."""
        return [{**self._chunk(self._choice(output, "")), **progress_json(progress)}]

    def finish_events(self, output: CompletionOutput, finished: Finished) -> list[object]:
        """Returns the chunk with the reason why a choice ended."""
        last = self._chunk(self._choice(output, "", finished=finished), finished.timings)
        return [{**last, **verbose_json(output, finished, self.context)}]

    def final_events(self, outputs: Sequence[FinishedOutput]) -> list[object]:
        """Returns the chunk with the usage and the timings, if it was requested."""
        if not self.options.stream_options.include_usage:
            return []
        work = work_json(*outputs[0], self.context.vocab)
        return [{**self.response_base.wrap(COMPLETION_OBJECT, []), "usage": self._usage(outputs).json(), **work}]

    def body(self, outputs: Sequence[FinishedOutput]) -> object:
        """Returns the whole: for each prompt the most likely choices, as many as were requested."""
        best = [pair for choices in self._by_prompt(outputs) for pair in self._best(choices)]
        choices = []
        for index, (output, finished) in enumerate(best):
            text = self._prompt_text(output) if self.options.echo else ""
            choice = self._choice(output, output.content, output.logprobs, finished)
            choices.append({**choice, "index": index, "text": text + output.content})
        response = self.response_base.wrap(COMPLETION_OBJECT, choices)
        work, verbose = work_json(*outputs[0], self.context.vocab), verbose_json(*outputs[0], self.context)
        return {**response, "usage": self._usage(outputs).json(), **work, **verbose}

    def _by_prompt(self, outputs: Sequence[FinishedOutput]) -> list[Sequence[FinishedOutput]]:
        n = self.n_generated
        return [outputs[start : start + n] for start in range(0, len(outputs), n)]

    def _best(self, choices: Sequence[FinishedOutput]) -> Sequence[FinishedOutput]:
        """Returns the most likely choices for one prompt, by the log probability per token."""
        if len(choices) == self.options.n:
            return choices
        return sorted(choices, key=lambda choice: _mean_logprob(choice[0]), reverse=True)[: self.options.n]

    def _prompt_text(self, output: CompletionOutput) -> str:
        prompt = output.prompt
        if isinstance(prompt.original, str):
            return prompt.original
        return self.context.vocab.display_all(text_tokens(prompt.tokens[prompt.n_system :]))

    def _choice(
        self,
        output: CompletionOutput,
        text: str,
        positions: Sequence[PositionLogprobs] = (),
        finished: Finished | None = None,
    ) -> dict[str, object]:
        reported = positions if self.logprobs.enabled else ()
        return {
            "index": output.index,
            "text": text,
            "logprobs": self._logprobs(output, reported) if reported else None,
            "finish_reason": finish_reason(finished) if finished else None,
        }

    def _logprobs(self, output: CompletionOutput, positions: Sequence[PositionLogprobs]) -> dict[str, object]:
        offsets = self._text_offsets.setdefault(output.index, TextOffsets(self.context.vocab))
        return completion_logprobs_json(positions, self.logprobs.n_top, self.context.vocab, offsets)

    def _chunk(self, choice: dict[str, object], timings: Timings | None = None) -> dict[str, object]:
        chunk = self.response_base.wrap(COMPLETION_OBJECT, [choice])
        return {**chunk, "timings": timings_json(timings)} if timings else chunk

    def _usage(self, outputs: Sequence[FinishedOutput]) -> Usage:
        by_prompt = self._by_prompt(outputs)
        return sum((total_usage([finished for _, finished in choices]) for choices in by_prompt), Usage())


def _mean_logprob(output: CompletionOutput) -> float:
    positions = output.logprobs
    return sum(position.sampled.logprob for position in positions) / max(len(positions), 1)


def read_openai_completion(request: Request, fields: Fields) -> ParsedRequest:
    """Returns what a body asks for. Raises InvalidRequest, which names the field, and ApiError (501) for an option that
    is not supported."""
    state, engine = get_state(request), get_engine(request)
    body = OpenAiCompletionRequestBody.parse(fields, engine, state.settings.defaults)
    logprobs, n_generated = body.logprobs_options(), _n_generated(body)
    if body.echo and logprobs.enabled:
        raise InvalidRequest("echo", "expected no logprobs with it: those of the prompt are not computed")
    # The best choices are found by their log probabilities.
    n_probs = max(logprobs.n_probs, 1 if n_generated > body.n else 0)
    options = body.replace(n=n_generated, n_probs=n_probs)
    name = body.served_name(engine, state.settings.model_names)
    base = ResponseBase.new("cmpl", name, engine.fingerprint)
    output_settings = output_settings_json(engine, state.settings.reasoning_format)
    context = ResultContext(body, engine.vocab, name, engine.n_ctx_slot, output_settings)
    formatter = OpenAiCompletionFormatter(context, base, body, n_generated, logprobs)
    prompts = _read_prompts(body, state, engine)
    return ParsedRequest(options, prompts, formatter, body.constraint, progress_events=formatter.progress_events)


def _n_generated(body: OpenAiCompletionRequestBody) -> int:
    """Returns the number of choices to generate for each prompt, of which the n best are returned."""
    n_generated = body.n if body.best_of is None else body.best_of
    if n_generated < body.n:
        raise invalid_value("best_of", f"no less than n, {body.n}", n_generated)
    if n_generated > body.n and body.stream:
        raise InvalidRequest("best_of", "expected no more than n in a stream, since the best is known only at its end")
    return n_generated


def _read_prompts(body: OpenAiCompletionRequestBody, state: ServerState, engine: Engine) -> list[Prompt]:
    """Returns the prompts. With a suffix, the text between each of them and the suffix is to be generated."""
    if not body.suffix:
        system_prompt = body.system_prompt or state.system_prompt
        return read_prompts(body.prompt, engine, system_prompt.tokens, state.settings)
    fim, suffix = get_fim_tokens(engine.vocab), read_mixed("suffix", body.suffix, engine.vocab)

    def read(name: str, prompt: object) -> Prompt:
        context = InfillContext(read_mixed(name, prompt, engine.vocab), suffix)
        built = make_infill_prompt(context, fim, engine, body.n_predict, suffix_first=state.settings.spm_infill)
        return replace(built, original=prompt) if isinstance(prompt, str) else built

    return [read(name, prompt) for name, prompt in split_prompts(body.prompt, engine)]
