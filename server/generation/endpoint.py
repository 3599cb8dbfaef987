"""From prompts and options to the response, streamed or whole: what all endpoints that generate text share."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any, ClassVar, Protocol, TypeVar

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from server.api.openai.errors import format_error
from server.generation.completion_output import CompletionOutput
from server.generation.constraint import compile_constraint
from server.generation.options import CompletionOptions, check_queue_capacity, seed_for_choice
from server.generation.prompts import Prompt
from server.generation.request_log import log_finished
from server.http.auth import get_api_key
from server.http.body import read_body
from server.http.disconnect import cancel_on_disconnect
from server.http.event_stream import EventStreamResponse, SendEvent
from server.http.fields import Fields
from server.http.json_response import JsonResponse
from server.settings import CacheIsolation
from server.state import get_engine, get_sessions, get_settings, get_state
from slots.engine import Engine
from slots.requests.events import Failed, Finished, Token
from slots.requests.scope import CacheScope
from slots.requests.stream import CompletionStream


def make_cache_salt(request: Request, session_id: str, isolation: CacheIsolation, cache_salt: str) -> str:
    """Returns a text that only those requests have that may share their prefixes: those of the same session or API
    key, as far as that is asked for, and with the same `cache_salt`. It is empty for those that share with everybody,
    and tells nobody what it was made of."""
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


Result = TypeVar("Result")


async def run_requests(
    engine: Engine,
    outputs: Iterable[CompletionOutput],
    run: Callable[[CompletionOutput, CompletionStream], Coroutine[Any, Any, Result]],
    on_accepted: Callable[[], None],
) -> list[Result]:
    """Returns what `run` makes of each request, in order. They run side by side, and none goes on without the others:
    when one fails, or when this is cancelled, all of them free their slots. `on_accepted` is called when the engine
    has taken them all.

    Raises what the engine raises when it refuses a request, and what `run` raises.
    """
    streams: list[CompletionStream] = []
    runs: list[asyncio.Task[Result]] = []
    try:
        for answer in outputs:
            stream = engine.submit(answer.request)
            answer.n_prompt_tokens = stream.n_prompt_tokens
            streams.append(stream)
            runs.append(asyncio.create_task(run(answer, stream)))
        on_accepted()
        return await asyncio.gather(*runs)
    finally:
        for stream, running in zip(streams, runs, strict=True):
            running.cancel()
            stream.cancel()


async def collect(
    output: CompletionOutput, stream: CompletionStream, on_token: Callable[[Token], Awaitable[None]] | None = None
) -> Finished:
    """Returns how the generation ended, when `answer` has all of it. Raises EngineError when it failed."""
    async for event in stream:
        if isinstance(event, Finished):
            log_finished(event, output.request.n_predict)
            return event
        if isinstance(event, Failed):
            raise event.error
        output.append(event)
        if on_token is not None:
            await on_token(event)
    raise RuntimeError("a stream ended without saying how")


FinishedOutput = tuple[CompletionOutput, Finished]


class ResponseFormatter(Protocol):
    """How a dialect spells the answers to one request."""

    end_of_stream: ClassVar[bytes]
    """What follows the last event of a stream."""

    def token_events(self, output: CompletionOutput, token: Token) -> Iterable[object]:
        """Returns the events of a stream for a token that `answer` counts already; its text is not kept there."""
        ...

    def finish_events(self, output: CompletionOutput, finished: Finished) -> Iterable[object]:
        """Returns the events with which one answer ends in a stream."""
        ...

    def final_events(self, outputs: Sequence[FinishedOutput]) -> Iterable[object]:
        """Returns the events that follow when all answers of a stream have ended; their texts are not kept."""
        ...

    def body(self, outputs: Sequence[FinishedOutput]) -> object:
        """Returns the JSON of all answers, which are not streamed: for each prompt, in order, all its choices."""
        ...


ParsedRequest = tuple[CompletionOptions, Sequence[Prompt], ResponseFormatter]
"""What a body asks for, and how the answer to it is spelled."""


def generation_endpoint(
    read: Callable[[Request, Fields], ParsedRequest], *, is_slow: bool = False
) -> Callable[[Request], Awaitable[Response]]:
    """Returns the endpoint that does what `read` finds in the fields of a body. `read` may be called in another thread,
    and always is if it is slow."""

    async def post(request: Request) -> Response:
        get_engine(request)  # what a body says does not matter while the model loads
        return await serve(request, *await read_body(request, partial(read, request), is_slow=is_slow))

    return post


async def serve(
    request: Request, options: CompletionOptions, prompts: Sequence[Prompt], formatter: ResponseFormatter
) -> Response:
    """Returns the response to `request`: as many answers to each prompt as the options ask for, as a stream where they
    ask for one. A system prompt among the options stands in front of later requests as soon as the engine has taken
    this one.

    Raises InvalidRequest for a grammar that does not compile and for more answers than can be waited for, and what the
    engine raises when it refuses a request.
    """
    engine, settings, state = get_engine(request), get_settings(request), get_state(request)
    check_queue_capacity(len(prompts), options.n_choices, engine)
    if options.sampling.dry_multiplier > 0:
        await run_in_threadpool(engine.prepare_dry, options.sampling.dry_sequence_breakers)
    constraint = options.constraint
    grammar = await run_in_threadpool(compile_constraint, constraint, engine) if constraint else None
    session = get_sessions(request).get_or_create(request)
    salt = make_cache_salt(request, session.session_id, settings.cache_isolation, options.cache_salt)
    outputs: list[CompletionOutput] = []
    for prompt in prompts:
        asked = options.request(prompt.tokens, session.session_id, CacheScope(salt, prompt.n_system), grammar)
        for choice in range(options.n_choices):
            outputs.append(CompletionOutput(len(outputs), prompt, seed_for_choice(asked, choice)))

    def on_accepted() -> None:
        if options.system_prompt is not None:
            state.system_prompt = options.system_prompt

    if options.stream:
        return EventStreamResponse(
            lambda send: _stream(engine, outputs, formatter, on_accepted, send),
            session.headers,
            partial(format_error, request.scope),
            formatter.end_of_stream,
        )
    endings = await cancel_on_disconnect(request.receive, run_requests(engine, outputs, collect, on_accepted))
    return JsonResponse(formatter.body(list(zip(outputs, endings, strict=True))), headers=session.headers)


async def _stream(
    engine: Engine,
    outputs: Sequence[CompletionOutput],
    formatter: ResponseFormatter,
    on_accepted: Callable[[], None],
    send: SendEvent,
) -> None:
    async def run(answer: CompletionOutput, stream: CompletionStream) -> Finished:
        async def send_token(token: Token) -> None:
            answer.clear()  # an event takes it along
            for event in formatter.token_events(answer, token):
                await send(event)

        finished = await collect(answer, stream, send_token)
        for event in formatter.finish_events(answer, finished):
            await send(event)
        return finished

    endings = await run_requests(engine, outputs, run, on_accepted)
    for event in formatter.final_events(list(zip(outputs, endings, strict=True))):
        await send(event)
