"""generation_endpoint: serves the text that a body requests, streamed or as one response, in its dialect's format."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Container, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Protocol, TypeVar

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from grammar.errors import GrammarError
from grammar.matcher import CompiledGrammar
from server.generation.chat import ChatGeneration
from server.generation.completion_output import CompletionOutput
from server.generation.prompts import Prompt
from server.http.auth import get_api_key
from server.http.body import read_body
from server.http.disconnect import cancel_on_disconnect
from server.http.error_format import format_error
from server.http.event_stream import EventFormat, EventStreamResponse, SendEvent
from server.http.fields import Fields
from server.http.json_response import JsonResponse
from server.http.request_record import Answer, current_record
from server.options.constraint import Constraint
from server.options.generation_options import GenerationOptions
from server.settings import CacheIsolation, Settings
from server.state import get_engine, get_sessions, get_state
from slots.engine import Engine
from slots.errors import InvalidRequest
from slots.requests.completion_params import CompletionParams
from slots.requests.events import Failed, Finished, Progress, Token
from slots.requests.reasoning_budget import ReasoningBudget
from slots.requests.request import CompletionRequest
from slots.requests.sampling_params import MAX_SEED, RANDOM_SEED
from slots.requests.scope import CacheScope
from slots.requests.stream import CompletionStream

MAX_WARNING = 1_000
"""Characters of a header."""

logger = logging.getLogger("server")

Result = TypeVar("Result")
ProgressEvents = Callable[[CompletionOutput, Progress], Iterable[object]]
"""Returns the events of a stream for its place in the queue, or for the progress of its prompt."""
FinishedOutput = tuple[CompletionOutput, Finished]


class ResponseFormatter(Protocol):
    """Formats the response to one request, in one dialect."""

    event_format: ClassVar[EventFormat]

    def token_events(self, output: CompletionOutput, token: Token) -> Iterable[object]:
        """Returns the events of a stream for a token, which `output` counts already without keeping its text."""
        ...

    def finish_events(self, output: CompletionOutput, finished: Finished) -> Iterable[object]:
        """Returns the events that end one output of a stream."""
        ...

    def final_events(self, outputs: Sequence[FinishedOutput]) -> Iterable[object]:
        """Returns the events after the end of all outputs of a stream, which keep no texts."""
        ...

    def body(self, outputs: Sequence[FinishedOutput]) -> object:
        """Returns the JSON of all outputs together: for each prompt, in order, all its choices."""
        ...


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """What a body asks for, and the format of the response."""

    options: GenerationOptions
    prompts: Sequence[Prompt]
    formatter: ResponseFormatter
    constraint: Constraint | None
    preserved_tokens: frozenset[int] = frozenset()
    """Control tokens that the texts include."""
    stop: tuple[str, ...] = ()
    """Strings that end a text besides those of the options."""
    warnings: tuple[str, ...] = ()
    """What of the request is not enforced, for the log and for a header of the response."""
    progress_events: ProgressEvents | None = None
    """None if the dialect does not report any progress."""
    reasoning_budget: ReasoningBudget | None = None

    @classmethod
    def of_chat(
        cls, options: GenerationOptions, generation: ChatGeneration, formatter: ResponseFormatter
    ) -> "ParsedRequest":
        """Returns the request for an answer to a chat."""
        constraint, preserved, stop = generation.constraint, generation.preserved_tokens, generation.stop
        parsed = cls(options, [generation.prompt], formatter, constraint, preserved, stop, generation.warnings)
        return replace(parsed, reasoning_budget=generation.reasoning_budget)


def generation_endpoint(
    read: Callable[[Request, Fields], ParsedRequest], *, is_slow: bool = False
) -> Callable[[Request], Awaitable[Response]]:
    """Returns the endpoint that serves what `read` finds in a body. `read` may be called in another thread, and always
    is if it is slow."""

    async def post(request: Request) -> Response:
        engine = get_engine(request)  # what a body says does not matter while the model loads
        may_wait = is_slow or engine.media is not None  # for a file to be decoded
        return await serve(request, await read_body(request, partial(read, request), is_slow=may_wait))

    return post


async def serve(request: Request, parsed: ParsedRequest) -> Response:
    """Returns the response to `request`. Raises what `prepare` raises, and what the engine raises when it refuses a
    request."""
    generation = await prepare(request, parsed)
    headers = generation.headers
    if parsed.options.stream:
        error_format, event_format = partial(format_error, request.scope), parsed.formatter.event_format
        ping_interval = parsed.options.sse_ping_interval
        return EventStreamResponse(generation.stream, headers, error_format, event_format, ping_interval)
    return JsonResponse(await cancel_on_disconnect(request.receive, generation.run()), headers=headers)


async def prepare(request: Request, parsed: ParsedRequest) -> "Generation":
    """Returns what generates the texts that `request` asks for. A system prompt in the options applies to later
    requests as soon as the engine has taken this one.

    Raises InvalidRequest for a grammar that does not compile and for more outputs than can wait, and what
    `choose_adapters` raises.
    """
    engine, state, options = get_engine(request), get_state(request), parsed.options
    _check_queue_capacity(len(parsed.prompts) * options.n, engine)
    if options.dry_multiplier > 0:
        await run_in_threadpool(engine.prepare_dry, options.dry_sequence_breakers)
    constraint = parsed.constraint
    grammar = await run_in_threadpool(compile_constraint, constraint, engine) if constraint else None
    session = get_sessions(request).get_or_create(request)
    salt = make_cache_salt(request, session.session_id, state.settings.cache_isolation, options.cache_salt)
    media = [each for prompt in parsed.prompts for each in prompt.media]
    if media:
        await cancel_on_disconnect(request.receive, engine.encode(media))
    sampling = options.sampling
    params = {name: getattr(options, name) for name in CompletionParams.model_fields}
    params["stop"] = (*options.stop, *parsed.stop)
    params["n_predict"] = _limit_length(options.n_predict, state.settings.defaults)
    adapters = options.choose_adapters(engine, state.settings.model_names)
    if record := current_record():
        record.adapters = engine.adapters.names_of(adapters)
    outputs: list[CompletionOutput] = []
    for prompt in parsed.prompts:
        completion = CompletionRequest(
            prompt.tokens,
            sampling,
            prompt_name=prompt.name,
            media=prompt.request_media,
            session=session.session_id,
            scope=CacheScope(salt, prompt.n_system),
            adapters=adapters,
            grammar=grammar,
            ends_within_character=not options.completes_characters,
            reports_progress=options.return_progress and options.stream and parsed.progress_events is not None,
            is_streamed=options.stream,
            reasoning_budget=parsed.reasoning_budget,
            preserved_tokens=_preserved_tokens(state.settings, engine, parsed),
            **params,
        )
        for choice in range(options.n):
            parts: list[str] | None = [] if state.settings.log_prompts else None
            request_of_choice = seed_for_choice(completion, choice)
            outputs.append(CompletionOutput(len(outputs), prompt, request_of_choice, logged_parts=parts))

    def on_accepted() -> None:
        if options.system_prompt is not None:
            state.system_prompt = options.system_prompt

    headers = {**session.headers, **_warning_headers(parsed.warnings)}
    return Generation(engine, outputs, parsed.formatter, on_accepted, headers, parsed.progress_events)


def _preserved_tokens(settings: Settings, engine: Engine, parsed: ParsedRequest) -> Container[int]:
    """Returns the tokens whose text is returned although they control the model."""
    return range(engine.vocab.n_tokens) if settings.show_special else parsed.preserved_tokens


def _warning_headers(warnings: Sequence[str]) -> dict[str, str]:
    """Logs what of a request is not enforced, and returns the header that says it (RFC 7234, 5.5)."""
    printable = [_escape_control(warning) for warning in warnings]
    for warning in printable:
        logger.warning("%s", warning)
    if not warnings:
        return {}
    words = "; ".join(printable)[:MAX_WARNING].encode("ascii", "backslashreplace").decode().replace('"', "'")
    return {"Warning": f'299 - "{words}"'}


def _escape_control(text: str) -> str:
    """Returns a text, which may quote names in a body, without characters that neither a header nor a log may have."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def _limit_length(n_predict: int, defaults: GenerationOptions) -> int:
    """Returns how many tokens may be generated: what the request says, or the server's flag if that has no limit."""
    return n_predict if n_predict >= 0 else defaults.n_predict


def _check_queue_capacity(n_outputs: int, engine: Engine) -> None:
    if n_outputs > engine.max_unfinished:
        expected = f"expected at most {engine.max_unfinished} answers, the slots and places in the queue"
        raise InvalidRequest("n", f"{expected}, got {n_outputs}")


def seed_for_choice(request: CompletionRequest, index: int) -> CompletionRequest:
    """Returns the request for one of several choices. A seed is that of the first choice, and the others count up from
    it, so that they differ and can be reproduced."""
    seed = request.sampling.seed
    if seed == RANDOM_SEED or index == 0:
        return request
    return request.replace(sampling=request.sampling.replace(seed=(seed + index) % (MAX_SEED + 1)))


def compile_constraint(constraint: Constraint, engine: Engine) -> CompiledGrammar:
    """Returns the grammar for requests to `engine`. It may take a second: call it from a worker thread.

    Raises InvalidRequest, which names the field or flag, for a grammar that cannot be used.
    """
    try:
        return engine.grammars.compile(constraint.source)
    except GrammarError as error:
        # What it quotes may hold half of a surrogate pair, which no response can.
        message = str(error).encode(errors="backslashreplace").decode()
        raise InvalidRequest(constraint.name, message) from None


def make_cache_salt(request: Request, session_id: str, isolation: CacheIsolation, cache_salt: str) -> str:
    """Returns the same text for requests that may share their prefixes: those of the same session or API key, if caches
    are isolated that way, and with the same `cache_salt`. It is empty if they are shared with everybody, and does not
    reveal what it was made of."""
    match isolation:
        case "session":
            tenant = session_id
        case "key":
            tenant = get_api_key(request.headers).decode("latin-1")
        case "none":
            tenant = ""
    if not tenant and not cache_salt:
        return ""
    # A list as JSON keeps the two apart, whatever they hold.
    return hashlib.blake2b(orjson.dumps([tenant, cache_salt]), digest_size=32).hexdigest()


@dataclass(frozen=True, slots=True)
class Generation:
    """The texts that a request asks for, before the engine has taken it."""

    engine: Engine
    outputs: Sequence[CompletionOutput]
    formatter: ResponseFormatter
    on_accepted: Callable[[], None]
    headers: Mapping[str, str]
    progress_events: ProgressEvents | None

    async def run(self) -> object:
        """Returns the body of the response. Raises what the engine raises when it refuses a request or fails."""
        endings = await run_requests(self.engine, self.outputs, collect, self.on_accepted)
        return self.formatter.body(list(zip(self.outputs, endings, strict=True)))

    async def stream(self, send: SendEvent) -> None:
        """Sends the events of the response. Raises as `run` does."""

        async def run_one(output: CompletionOutput, stream: CompletionStream) -> Finished:
            async for event in stream:
                if isinstance(event, Token):
                    output.count(event)
                    formatted = self.formatter.token_events(output, event)
                elif isinstance(event, Finished | Failed):
                    finished = end_output(output, event)
                    for each in self.formatter.finish_events(output, finished):
                        await send(each)
                    return finished
                else:
                    formatted = self.progress_events(output, event) if self.progress_events else ()
                for each in formatted:
                    await send(each)
            raise _ended_without_saying_how()

        endings = await run_requests(self.engine, self.outputs, run_one, self.on_accepted)
        for event in self.formatter.final_events(list(zip(self.outputs, endings, strict=True))):
            await send(event)


async def run_requests(
    engine: Engine,
    outputs: Iterable[CompletionOutput],
    run: Callable[[CompletionOutput, CompletionStream], Coroutine[Any, Any, Result]],
    on_accepted: Callable[[], None],
) -> list[Result]:
    """Returns what `run` returns for each request, in order. They run concurrently; if one fails, or if this is
    cancelled, all of them are cancelled and free their slots. `on_accepted` is called when the engine has taken them
    all.

    Raises what the engine raises when it refuses a request, and what `run` raises.
    """
    streams: list[CompletionStream] = []
    runs: list[asyncio.Task[Result]] = []
    try:
        for output in outputs:
            stream = engine.submit(output.request)
            output.n_prompt_tokens = stream.n_prompt_tokens
            streams.append(stream)
            runs.append(asyncio.create_task(run(output, stream)))
        on_accepted()
        return await asyncio.gather(*runs)
    finally:
        for stream, running in zip(streams, runs, strict=True):
            running.cancel()
            stream.cancel()


async def collect(output: CompletionOutput, stream: CompletionStream) -> Finished:
    """Collects a generation in `output`, and returns how it ended. Raises EngineError if it failed."""
    async for event in stream:
        if isinstance(event, Finished | Failed):
            return end_output(output, event)
        if isinstance(event, Token):
            output.append(event)
    raise _ended_without_saying_how()


def end_output(output: CompletionOutput, event: Finished | Failed) -> Finished:
    """Notes the end of an output for the log, the metrics and the traces. Raises EngineError if it failed."""
    if isinstance(event, Failed):
        raise event.error
    if record := current_record():
        request = output.request
        record.answers.append(Answer(event, request.n_predict, request.sampling, output.logged_texts))
    return event


def _ended_without_saying_how() -> RuntimeError:
    return RuntimeError("a stream ended without saying how")
