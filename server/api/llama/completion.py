"""POST /completion: completions in llama.cpp's dialect."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from starlette.requests import Request

from server.api.llama.protocol import CompletionRequestBody, LlamaOptions
from server.generation.completion_output import CompletionOutput, progress_json, timings_json
from server.generation.endpoint import FinishedOutput, ParsedRequest
from server.generation.generation_settings import output_settings_json
from server.generation.logprobs import probabilities_json
from server.generation.prompts import read_prompts
from server.generation.result import ResultContext, result_json
from server.http.event_stream import PLAIN_EVENTS, EventFormat
from server.http.fields import Fields
from server.state import get_engine, get_state
from slots.llama import Vocab
from slots.requests.events import Finished, PositionLogprobs, Progress, PromptProgress, Token

Result = Mapping[str, object]


def select_fields(paths: Sequence[str], result: Result) -> Result:
    """Returns the values of `result` at some paths, under the path: `a/b` is the field `b` of the object `a`. Paths
    without a value are left out; without paths, the whole result is returned."""
    if not paths:
        return result
    return {path: value for path in paths for value in _at(path, result)}


def _at(path: str, result: Result) -> list[object]:
    value: object = result
    for name in path.split("/"):
        if not isinstance(value, dict) or name not in value:
            return []
        value = value[name]
    return [value]


@dataclass(frozen=True, slots=True)
class CompletionFormatter:
    """Formats the response to one request."""

    vocab: Vocab
    model: str
    n_ctx: int
    options: LlamaOptions
    output_settings: Result
    """As in ResultContext."""
    event_format: ClassVar[EventFormat] = PLAIN_EVENTS

    def token_events(self, output: CompletionOutput, token: Token) -> list[object]:
        chunk: dict[str, object] = {
            "index": output.index,
            "content": token.text,
            "tokens": [token.token],
            "stop": False,
            "slot_id": token.slot_id,
            "id_slot": token.slot_id,
            "tokens_predicted": output.n_tokens,
            "tokens_evaluated": output.n_prompt_tokens,
        }
        if token.logprobs is not None:
            chunk["completion_probabilities"] = self._logprobs([token.logprobs])
        if token.timings is not None:
            chunk["timings"] = timings_json(token.timings)
        return [chunk]

    def progress_events(self, output: CompletionOutput, progress: Progress) -> list[object]:
        """Returns the event for a place in the queue, or for the progress of the prompt, without text."""
        slot_id = progress.slot_id if isinstance(progress, PromptProgress) else -1
        chunk = {
            "index": output.index,
            "content": "",
            "tokens": [],
            "stop": False,
            "slot_id": slot_id,
            "id_slot": slot_id,
            "tokens_predicted": 0,
            "tokens_evaluated": output.n_prompt_tokens,
        }
        return [{**chunk, **progress_json(progress)}]

    def finish_events(self, output: CompletionOutput, finished: Finished) -> list[object]:
        """Returns the one event that ends an output; it leaves out what its chunks held."""
        return [self._result(output, finished)]

    def final_events(self, _: Sequence[FinishedOutput]) -> list[object]:
        return []

    def body(self, outputs: Sequence[FinishedOutput]) -> object:
        """Returns the result of the only output, or a list of several."""
        results = [self._result(output, finished) for output, finished in outputs]
        return results if len(results) > 1 else results[0]

    def _result(self, output: CompletionOutput, finished: Finished) -> Result:
        return select_fields(self.options.response_fields, result_json(output, finished, self._context))

    @property
    def _context(self) -> ResultContext:
        return ResultContext(self.options, self.vocab, self.model, self.n_ctx, self.output_settings)

    def _logprobs(self, positions: list[PositionLogprobs]) -> list[dict[str, object]]:
        after_sampling = self.options.sampling.post_sampling_probs
        return probabilities_json(positions, self.vocab, after_sampling=after_sampling)


def read_completion(request: Request, fields: Fields) -> ParsedRequest:
    """Returns what a body asks for. Raises InvalidRequest, which names the field, and ApiError (501) for an option that
    is not supported."""
    state, engine = get_state(request), get_engine(request)
    body = CompletionRequestBody.parse(fields, engine, state.settings.defaults)
    system_prompt = body.system_prompt or state.system_prompt
    prompts = read_prompts(body.prompt, engine, system_prompt.tokens, state.settings, body.image_data)
    name = body.served_name(engine, state.settings.model_names)
    output_settings = output_settings_json(engine, state.settings.reasoning_format)
    formatter = CompletionFormatter(engine.vocab, name, engine.n_ctx_slot, body, output_settings)
    return ParsedRequest(body, prompts, formatter, body.constraint, progress_events=formatter.progress_events)
