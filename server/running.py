"""Requests on their way through the engine."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from server.generation.completion_output import Answer
from server.generation.request_log import log_finished
from slots.engine import Engine
from slots.requests.events import Failed, Finished, Token
from slots.requests.stream import CompletionStream

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
