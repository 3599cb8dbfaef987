"""POST /v1/llm/completions-sync and /v1/llm/completions-stream: completions in LLM Engine's dialect."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar
from uuid import uuid4

from starlette.requests import Request

from server.api.llm_engine.errors import llm_engine_error
from server.api.llm_engine.models import check_model
from server.api.llm_engine.protocol import LlmEngineCompletionBody
from server.generation.completion_output import CompletionOutput, progress_json
from server.generation.endpoint import FinishedOutput, ParsedRequest
from server.generation.logprobs import logprob_json, token_text
from server.generation.prompts import read_prompts
from server.http.error_format import use_error_format
from server.http.event_stream import PLAIN_EVENTS, EventFormat
from server.http.fields import Fields
from server.options.lora import find_adapter
from server.settings import Settings
from server.state import get_engine, get_state
from slots.engine import Engine
from slots.errors import InvalidRequest, PromptTooLong
from slots.llama import Vocab
from slots.requests.events import Finished, PositionLogprobs, Progress, StopReason, Token

MODEL = "model_endpoint_name"
"""The parameter of the URL that names the model."""


@dataclass(slots=True)
class LlmEngineFormatter:
    """Formats the response to one request."""

    vocab: Vocab
    request_id: str
    options: LlmEngineCompletionBody
    _last: Token | None = None
    """The last token of a stream, until it is known how the generation ended."""
    event_format: ClassVar[EventFormat] = PLAIN_EVENTS

    def token_events(self, output: CompletionOutput, token: Token) -> list[object]:
        """Returns the event of a token, if another one follows it."""
        if token.is_last:
            self._last = token
            return []
        return [self._event(output, token.text, token)]

    def progress_events(self, output: CompletionOutput, progress: Progress) -> list[object]:
        """Returns the event for a place in the queue, or for the progress of the prompt, without text."""
        return [{**self._event(output, "", None), **progress_json(progress)}]

    def finish_events(self, output: CompletionOutput, finished: Finished) -> list[object]:
        """Returns the event of the last token."""
        last = self._last
        text = last.text + self._shown_end(last.token, finished) if last else ""
        return [self._event(output, text, last, finished)]

    def final_events(self, _: Sequence[FinishedOutput]) -> list[object]:
        return []

    def body(self, outputs: Sequence[FinishedOutput]) -> object:
        [(output, finished)] = outputs
        end = self._shown_end(output.tokens[-1], finished) if output.tokens else ""
        wants_tokens = self.options.return_token_log_probs
        result = {
            "text": output.content + end,
            "num_prompt_tokens": finished.n_prompt_tokens,
            "num_completion_tokens": output.n_tokens,
            "tokens": [self._token_json(position) for position in output.logprobs] if wants_tokens else None,
        }
        return {"request_id": self.request_id, "output": result}

    def _event(
        self, output: CompletionOutput, text: str, token: Token | None, finished: Finished | None = None
    ) -> dict[str, object]:
        logprobs = token.logprobs if token else None
        result = {
            "text": text,
            "finished": finished is not None,
            "num_prompt_tokens": finished.n_prompt_tokens if finished else None,
            "num_completion_tokens": output.n_tokens,
            "token": self._token_json(logprobs) if logprobs else None,
        }
        return {"request_id": self.request_id, "output": result, "error": None}

    def _token_json(self, position: PositionLogprobs) -> dict[str, object]:
        return {"token": token_text(position.sampled.token, self.vocab), "log_prob": logprob_json(position.sampled)}

    def _shown_end(self, last: int, finished: Finished) -> str:
        """Returns what ended the text, if it is to be part of it: a stop string or a special token."""
        if not self.options.include_stop_str_in_output:
            return ""
        shows_special = not self.options.skip_special_tokens and last in self.vocab.end_of_generation
        if finished.reason is StopReason.EOS and shows_special:
            return token_text(last, self.vocab)
        return finished.stopping_word


def read_llm_engine_completion(request: Request, fields: Fields, *, stream: bool) -> ParsedRequest:
    """Returns what a body asks for. Raises InvalidRequest, which names the field, and ApiError for a model that is not
    served (404) and for an option that is not supported (501)."""
    state, engine = get_state(request), get_engine(request)
    request_id = str(uuid4())
    use_error_format(request, partial(llm_engine_error, request_id=request_id))
    name = _read_model(request, state.settings, engine)
    body = LlmEngineCompletionBody.parse(fields, engine, state.settings.defaults)
    options = body.replace(stream=stream, n_probs=int(body.return_token_log_probs), model=name)
    system_prompt = body.system_prompt or state.system_prompt
    [prompt] = prompts = read_prompts(body.prompt, engine, system_prompt.tokens, state.settings)
    _check_context(len(prompt.tokens), body.n_predict, engine)
    formatter = LlmEngineFormatter(engine.vocab, request_id, options)
    shown = frozenset() if body.skip_special_tokens else engine.vocab.control_tokens
    progress_events = formatter.progress_events
    return ParsedRequest(options, prompts, formatter, body.constraint, shown, progress_events=progress_events)


def _read_model(request: Request, settings: Settings, engine: Engine) -> str:
    """Returns the name of the model or of one of its adapters. Raises InvalidRequest without one, and ApiError (404)
    for another one."""
    name = request.query_params.get(MODEL)
    if name is None:
        raise InvalidRequest(MODEL, "expected the name of the model in the URL, got nothing")
    # The client does not escape the name, and a plus sign in an URL stands for a space.
    adapters = [known.name for known in engine.adapters.loaded]
    for known in (*settings.model_names, *adapters, *(f"{settings.alias}:{adapter}" for adapter in adapters)):
        if name == known.replace("+", " "):
            return known
    if find_adapter(name, engine, settings.model_names) is None:
        check_model(MODEL, name, settings)
    return name


def _check_context(n_prompt: int, n_predict: int, engine: Engine) -> None:
    n_ctx = engine.n_ctx_slot
    if n_prompt > n_ctx:
        raise PromptTooLong(n_prompt, n_ctx)
    if n_prompt + n_predict > n_ctx:
        n_left = f"at most {n_ctx - n_prompt}, since the prompt has {n_prompt} tokens and the context {n_ctx}"
        raise InvalidRequest("max_new_tokens", f"expected {n_left}, got {n_predict}")
