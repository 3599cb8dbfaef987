"""What a request is told while it waits and while its prompt is computed."""

import asyncio
from itertools import pairwise

from slots.requests.events import Event, PromptProgress, QueuePlace, Token
from slots.requests.request import CompletionRequest
from slots.requests.sampling_params import SamplingParams
from slots.requests.stream import CompletionStream
from tests.slots.engine_runner import EngineRunner, MakeRunner

N_BATCH = 64
PROMPT = tuple(range(300, 300 + 150))
ENDLESS = SamplingParams(temperature=0.0, ignore_eos=True)


def submit(runner: EngineRunner, prompt: tuple[int, ...], n_predict: int, *, reports: bool = True) -> CompletionStream:
    return runner.engine.submit(CompletionRequest(prompt, ENDLESS, n_predict=n_predict, reports_progress=reports))


async def events_of(stream: CompletionStream) -> list[Event]:
    return [event async for event in stream]


def progress_of(events: list[Event]) -> list[PromptProgress]:
    """Returns what comes before the first token."""
    is_token = [isinstance(event, Token) for event in events]
    first = is_token.index(True) if True in is_token else len(events) - 1
    assert not any(isinstance(event, PromptProgress) for event in events[first:])
    return [event for event in events[:first] if isinstance(event, PromptProgress)]


def test_each_batch_of_a_prompt_is_reported_and_first_what_was_cached(make_runner: MakeRunner) -> None:
    runner = make_runner(n_ctx=512, n_parallel=1, n_batch=N_BATCH, n_ubatch=N_BATCH)

    async def test() -> None:
        reports = progress_of(await events_of(submit(runner, PROMPT, 2)))
        assert [(each.total, each.cached, each.processed) for each in reports] == [
            (150, 0, 0),
            (150, 0, 64),
            (150, 0, 128),
            (150, 0, 150),
        ]
        assert reports[0].time_ms == 0
        assert all(one.time_ms < next_one.time_ms for one, next_one in pairwise(reports))
        again = progress_of(await events_of(submit(runner, PROMPT, 2)))
        assert [(each.total, each.cached, each.processed) for each in again] == [(150, 149, 149), (150, 149, 150)]

    runner.run(test)


def test_a_prompt_without_a_text_to_generate_is_reported_too(make_runner: MakeRunner) -> None:
    runner = make_runner(n_ctx=512, n_parallel=1, n_batch=N_BATCH, n_ubatch=N_BATCH)

    async def test() -> None:
        assert progress_of(await events_of(submit(runner, PROMPT, 0)))[-1].processed == 150

    runner.run(test)


def test_a_request_that_waits_is_told_its_place_at_once_and_then_at_most_twice_a_second(
    make_runner: MakeRunner,
) -> None:
    runner = make_runner(n_ctx=2048, n_parallel=1)

    async def test() -> None:
        running = submit(runner, PROMPT, 1800, reports=False)
        await anext(running)
        first, second = submit(runner, PROMPT[1:], 1), submit(runner, PROMPT[2:], 1)
        places = [await anext(stream) for stream in (first, second)]
        assert [place.position for place in places if isinstance(place, QueuePlace)] == [1, 2]
        started = asyncio.get_running_loop().time()
        again = await anext(second)
        assert asyncio.get_running_loop().time() - started > 0.4
        assert isinstance(again, QueuePlace)
        assert again.waiting_ms >= 500
        running.cancel()
        for stream in (first, second):
            reports = [event for event in await events_of(stream) if not isinstance(event, QueuePlace)]
            assert isinstance(reports[0], PromptProgress)

    runner.run(test)


def test_nobody_else_is_told_anything(make_runner: MakeRunner) -> None:
    runner = make_runner(n_ctx=512, n_parallel=1, n_batch=N_BATCH, n_ubatch=N_BATCH)

    async def test() -> None:
        streams = [submit(runner, PROMPT, 3, reports=False) for _ in range(2)]
        for stream in streams:
            assert not [event for event in await events_of(stream) if isinstance(event, PromptProgress | QueuePlace)]

    runner.run(test)
