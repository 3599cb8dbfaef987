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

from server.api.openai.errors import error_for
from server.generation.completion_output import Answer
from server.generation.constraint import compile_constraint
from server.generation.options import CompletionOptions, check_n_answers, with_seed_of
from server.generation.prompts import Prompt
from server.generation.request_log import log_finished
from server.http.auth import key_of
from server.http.body import read_body
from server.http.disconnect import unless_disconnected
from server.http.event_stream import EventStreamResponse, SendEvent
from server.http.fields import Fields
from server.http.json_response import JsonResponse
from server.settings import CacheIsolation
from server.state import engine_of, sessions_of, settings_of, state_of
from slots.engine import Engine
from slots.requests.events import Failed, Finished, Token
from slots.requests.scope import Scope
from slots.requests.stream import CompletionStream


def salt_of(request: Request, session_id: str, isolation: CacheIsolation, cache_salt: str) -> str:
    """Returns a text that only those requests have that may share their prefixes: those of the same session or API
    key, as far as that is asked for, and with the same `cache_salt`. It is empty for those that share with everybody,
    and tells nobody what it was made of."""
    match isolation:
        case "session":
            tenant = session_id
        case "key":
            tenant = key_of(request.headers).decode("latin-1")
        case "none":
            tenant = ""
    if not tenant and not cache_salt:
        return ""
    # A list as JSON keeps the two apart, whatever they hold.
    return hashlib.blake2b(orjson.dumps([tenant, cache_salt]), digest_size=32).hexdigest()


Result = TypeVar("Result")


async def run_all(
    engine: Engine,
    answers: Iterable[Answer],
    run: Callable[[Answer, CompletionStream], Coroutine[Any, Any, Result]],
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
        for answer in answers:
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


async def follow(
    answer: Answer, stream: CompletionStream, on_token: Callable[[Token], Awaitable[None]] | None = None
) -> Finished:
    """Returns how the generation ended, when `answer` has all of it. Raises EngineError when it failed."""
    async for event in stream:
        if isinstance(event, Finished):
            log_finished(event, answer.request.n_predict)
            return event
        if isinstance(event, Failed):
            raise event.error
        answer.add(event)
        if on_token is not None:
            await on_token(event)
    raise RuntimeError("a stream ended without saying how")


FinishedAnswer = tuple[Answer, Finished]


class Spelling(Protocol):
    """How a dialect spells the answers to one request."""

    end_of_stream: ClassVar[bytes]
    """What follows the last event of a stream."""

    def token_events(self, answer: Answer, token: Token) -> Iterable[object]:
        """Returns the events of a stream for a token that `answer` counts already; its text is not kept there."""
        ...

    def last_events(self, answer: Answer, finished: Finished) -> Iterable[object]:
        """Returns the events with which one answer ends in a stream."""
        ...

    def closing_events(self, answers: Sequence[FinishedAnswer]) -> Iterable[object]:
        """Returns the events that follow when all answers of a stream have ended; their texts are not kept."""
        ...

    def body(self, answers: Sequence[FinishedAnswer]) -> object:
        """Returns the JSON of all answers, which are not streamed: for each prompt, in order, all its choices."""
        ...


Asked = tuple[CompletionOptions, Sequence[Prompt], Spelling]
"""What a body asks for, and how the answer to it is spelled."""


def generating(
    read: Callable[[Request, Fields], Asked], *, is_slow: bool = False
) -> Callable[[Request], Awaitable[Response]]:
    """Returns the endpoint that does what `read` finds in the fields of a body. `read` may be called in another thread,
    and always is if it is slow."""

    async def post(request: Request) -> Response:
        engine_of(request)  # what a body says does not matter while the model loads
        return await respond(request, *await read_body(request, partial(read, request), is_slow=is_slow))

    return post


async def respond(
    request: Request, options: CompletionOptions, prompts: Sequence[Prompt], spelling: Spelling
) -> Response:
    """Returns the response to `request`: as many answers to each prompt as the options ask for, as a stream where they
    ask for one. A system prompt among the options stands in front of later requests as soon as the engine has taken
    this one.

    Raises InvalidRequest for a grammar that does not compile and for more answers than can be waited for, and what the
    engine raises when it refuses a request.
    """
    engine, settings, state = engine_of(request), settings_of(request), state_of(request)
    check_n_answers(len(prompts), options.n_choices, engine)
    if options.sampling.dry_multiplier > 0:
        await run_in_threadpool(engine.prepare_dry, options.sampling.dry_sequence_breakers)
    constraint = options.constraint
    grammar = await run_in_threadpool(compile_constraint, constraint, engine) if constraint else None
    session = sessions_of(request).of(request)
    salt = salt_of(request, session.session_id, settings.cache_isolation, options.cache_salt)
    answers: list[Answer] = []
    for prompt in prompts:
        asked = options.request(prompt.tokens, session.session_id, Scope(salt, prompt.n_system), grammar)
        for choice in range(options.n_choices):
            answers.append(Answer(len(answers), prompt, with_seed_of(asked, choice)))

    def on_accepted() -> None:
        if options.system_prompt is not None:
            state.system_prompt = options.system_prompt

    if options.stream:
        return EventStreamResponse(
            lambda send: _stream(engine, answers, spelling, on_accepted, send),
            session.headers,
            partial(error_for, request.scope),
            spelling.end_of_stream,
        )
    endings = await unless_disconnected(request.receive, run_all(engine, answers, follow, on_accepted))
    return JsonResponse(spelling.body(list(zip(answers, endings, strict=True))), headers=session.headers)


async def _stream(
    engine: Engine, answers: Sequence[Answer], spelling: Spelling, on_accepted: Callable[[], None], send: SendEvent
) -> None:
    async def run(answer: Answer, stream: CompletionStream) -> Finished:
        async def send_token(token: Token) -> None:
            answer.clear()  # an event takes it along
            for event in spelling.token_events(answer, token):
                await send(event)

        finished = await follow(answer, stream, send_token)
        for event in spelling.last_events(answer, finished):
            await send(event)
        return finished

    endings = await run_all(engine, answers, run, on_accepted)
    for event in spelling.closing_events(list(zip(answers, endings, strict=True))):
        await send(event)
