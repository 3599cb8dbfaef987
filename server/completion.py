"""POST /completion: the llama-like API."""

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from server.access import engine_of, sessions_of, settings_of, state_of
from server.answer import Answer
from server.body import read_body
from server.cache_scope import salt_of
from server.completion_json import CompletionJson
from server.completion_options import CompletionOptions, read_options
from server.constraint import compile_constraint
from server.disconnect import unless_disconnected
from server.event_stream import EventStreamResponse, SendEvent
from server.fields import Fields
from server.json_response import JsonResponse
from server.prompt import Prompt, read_prompts
from server.response_fields import Result
from server.running import follow, run_all
from slots.engine import Engine
from slots.events import Token
from slots.scope import Scope
from slots.stream import CompletionStream


async def post_completion(request: Request) -> Response:
    engine, settings, state = engine_of(request), settings_of(request), state_of(request)

    def read(fields: Fields) -> tuple[CompletionOptions, list[Prompt]]:
        options = read_options(fields, engine, settings.defaults)
        system_prompt = options.system_prompt or state.system_prompt
        return options, read_prompts(fields.get("prompt"), engine, system_prompt.tokens)

    def on_accepted() -> None:
        if options.system_prompt is not None:
            state.system_prompt = options.system_prompt

    options, prompts = await read_body(request, read)
    if options.sampling.dry_multiplier > 0:
        await run_in_threadpool(engine.prepare_dry, options.sampling.dry_sequence_breakers)
    constraint = options.constraint
    grammar = await run_in_threadpool(compile_constraint, constraint, engine) if constraint else None
    session = sessions_of(request).of(request)
    salt = salt_of(request, session.session_id, settings.cache_isolation, options.cache_salt)
    answers = [
        Answer(index, prompt, options.request(prompt.tokens, session.session_id, Scope(salt, prompt.n_system), grammar))
        for index, prompt in enumerate(prompts)
    ]
    spelling = CompletionJson(engine.vocab, settings.alias, engine.n_ctx_slot, options)
    if options.stream:
        return EventStreamResponse(lambda send: _stream(engine, answers, spelling, on_accepted, send), session.headers)
    results = await unless_disconnected(request.receive, _complete(engine, answers, spelling, on_accepted))
    return JsonResponse(results if len(results) > 1 else results[0], headers=session.headers)


async def _complete(
    engine: Engine, answers: list[Answer], spelling: CompletionJson, on_accepted: Callable[[], None]
) -> list[Result]:
    async def run(answer: Answer, stream: CompletionStream) -> Result:
        return spelling.result(answer, await follow(answer, stream))

    return await run_all(engine, answers, run, on_accepted)


async def _stream(
    engine: Engine, answers: list[Answer], spelling: CompletionJson, on_accepted: Callable[[], None], send: SendEvent
) -> None:
    async def run(answer: Answer, stream: CompletionStream) -> None:
        async def send_chunk(token: Token) -> None:
            answer.clear()  # a chunk takes it along
            await send(spelling.chunk(answer, token))

        finished = await follow(answer, stream, send_chunk)
        await send(spelling.result(answer, finished))

    await run_all(engine, answers, run, on_accepted)
