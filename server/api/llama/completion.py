"""POST /completion: the llama-like API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from starlette.requests import Request

from server.api.llama.generation_settings import all_options_json
from server.generation.completion_output import CompletionOutput
from server.generation.endpoint import FinishedOutput, ParsedRequest
from server.generation.logprobs import probabilities_json
from server.generation.options import CompletionOptions, read_options
from server.generation.prompts import read_prompts
from server.http.fields import Fields
from server.state import get_engine, get_settings, get_state
from slots.llama import Vocab
from slots.requests.events import Finished, PositionLogprobs, StopReason, Timings, Token

Result = Mapping[str, object]


def select_fields(paths: Sequence[str], result: Result) -> Result:
    """Returns what `result` has at each path, by the whole path: `a/b` is the field `b` of the object `a`. A path that
    leads nowhere is left out; no paths at all ask for everything."""
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
    """What the answers to one request have in common."""

    vocab: Vocab
    model: str
    n_ctx: int
    options: CompletionOptions
    end_of_stream: ClassVar[bytes] = b""

    def token_events(self, output: CompletionOutput, token: Token) -> list[object]:
        """Returns the one event for a token, which `answer` counts already."""
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

    def finish_events(self, output: CompletionOutput, finished: Finished) -> list[object]:
        """Returns the one event that ends an answer; it leaves out what the chunks have said."""
        return [self._result(output, finished)]

    def final_events(self, _: Sequence[FinishedOutput]) -> list[object]:
        """Returns nothing: each answer says all that there is to say about it."""
        return []

    def body(self, outputs: Sequence[FinishedOutput]) -> object:
        """Returns the result if there is one, or the list of them."""
        results = [self._result(answer, finished) for answer, finished in outputs]
        return results if len(results) > 1 else results[0]

    def _result(self, answer: CompletionOutput, finished: Finished) -> Result:
        stream = self.options.stream
        result: dict[str, object] = {
            "index": answer.index,
            "content": "" if stream else answer.content,
            "tokens": answer.tokens if self.options.return_tokens and not stream else [],
            "stop": True,
            "slot_id": finished.slot_id,
            "id_slot": finished.slot_id,
            "model": self.model,
            "prompt": answer.prompt.original,
            "generation_settings": self._settings(answer, finished),
            "stopped_eos": finished.reason is StopReason.EOS,
            "stopped_limit": finished.reason is StopReason.LIMIT,
            "stopped_word": finished.reason is StopReason.WORD,
            "stop_type": finished.reason,
            "stopping_word": finished.stopping_word,
            "has_new_line": finished.has_new_line,
            "truncated": finished.truncated,
            "tokens_predicted": finished.timings.predicted_n,
            "tokens_evaluated": finished.n_prompt_tokens,
            "tokens_cached": finished.timings.cached_n,
            "timings": timings_json(finished.timings),
        }
        if answer.logprobs and not stream:
            result["completion_probabilities"] = self._logprobs(answer.logprobs)
        return select_fields(self.options.response_fields, result)

    def _logprobs(self, positions: list[PositionLogprobs]) -> list[dict[str, object]]:
        after_sampling = self.options.sampling.post_sampling_probs
        return probabilities_json(positions, self.vocab, after_sampling=after_sampling)

    def _settings(self, answer: CompletionOutput, finished: Finished) -> dict[str, object]:
        request = answer.request
        return {
            **all_options_json(request, self.options.constraint),
            "seed": finished.seed,
            "stop": request.stop,
            "stream": self.options.stream,
            "return_tokens": self.options.return_tokens,
            "slot_id": request.slot_id,
            "cache_salt": self.options.cache_salt,
            "n_ctx": self.n_ctx,
            "model": self.model,
        }


def timings_json(timings: Timings) -> dict[str, float]:
    """Returns token counts, milliseconds and tokens per second; of tokens guessed ahead only where there were some."""
    drafted = {"draft_n": timings.draft_n, "draft_n_accepted": timings.draft_n_accepted} if timings.draft_n else {}
    return {
        "cache_n": timings.cached_n,
        "prompt_n": timings.prompt_n,
        "prompt_ms": timings.prompt_ms,
        "prompt_per_token_ms": _per_token(timings.prompt_ms, timings.prompt_n),
        "prompt_per_second": timings.prompt_per_second,
        "predicted_n": timings.predicted_n,
        "predicted_ms": timings.predicted_ms,
        "predicted_per_token_ms": _per_token(timings.predicted_ms, timings.predicted_n),
        "predicted_per_second": timings.predicted_per_second,
        **drafted,
    }


def _per_token(milliseconds: float, n_tokens: int) -> float:
    return milliseconds / n_tokens if n_tokens else 0.0


def read_completion(request: Request, fields: Fields) -> ParsedRequest:
    """Returns what a body asks for. Raises InvalidRequest, which names the field, and ApiError (501) for an option that
    is not supported."""
    engine, settings, state = get_engine(request), get_settings(request), get_state(request)
    options = read_options(fields, engine, settings.defaults)
    system_prompt = options.system_prompt or state.system_prompt
    prompts = read_prompts(fields.get("prompt"), engine, system_prompt.tokens)
    return options, prompts, CompletionFormatter(engine.vocab, settings.alias, engine.n_ctx_slot, options)
