"""The engine's numbers, after real requests."""

from collections.abc import Iterator

import pytest

from slots.metrics.engine_stats import EngineStats
from slots.requests.cache_use import CacheSource
from slots.requests.request import CompletionRequest
from slots.requests.sampling_params import SamplingParams
from tests.slots.engine_runner import EngineRunner, engine_maker

ENDLESS = SamplingParams(temperature=0.0, ignore_eos=True)
STORY = "Once upon a time there was a little girl who lived near the forest with her cat and her old mother."


@pytest.fixture
def runner() -> Iterator[EngineRunner]:
    with engine_maker(n_ctx=512, n_parallel=2, n_threads=1) as make:
        yield make()


def n_observed(counts: list[int]) -> int:
    return sum(counts)


def test_requests_are_counted_as_their_timings_say(runner: EngineRunner) -> None:
    async def test() -> None:
        ends = [(await runner.complete(STORY, ENDLESS, n_predict=n)).finished.timings for n in (1, 5, 9)]
        totals = runner.engine.stats.requests
        assert totals.prompt_tokens == sum(timings.prompt_n for timings in ends)
        assert totals.cached_tokens == sum(timings.cached_n for timings in ends) > 0
        assert totals.generated_tokens == 15 == runner.engine.stats.generated_tokens
        assert totals.generation_steps == 12
        assert totals.prompt_seconds == pytest.approx(sum(timings.prompt_ms for timings in ends) / 1000)

    runner.run(test)


def test_each_request_has_its_times_and_each_step_its_latency(runner: EngineRunner) -> None:
    async def test() -> None:
        for _ in range(2):
            await runner.complete(STORY, ENDLESS, n_predict=6)
        stats = runner.engine.stats
        once = (
            *(stats.time_to_first_token, stats.e2e_request_latency, stats.request_queue_time),
            *(stats.request_prefill_time, stats.request_decode_time, stats.request_prompt_tokens),
            stats.request_generation_tokens,
        )
        assert [n_observed(histogram.counts) for histogram in once] == [2] * len(once)
        assert n_observed(stats.inter_token_latency.counts) == 2 * 5
        assert stats.inter_token_latency.total <= stats.e2e_request_latency.total
        assert stats.request_generation_tokens.total == 12

    runner.run(test)


def test_the_time_of_steps_is_split(runner: EngineRunner) -> None:
    async def test() -> None:
        await runner.complete(STORY, ENDLESS, n_predict=40)
        stats = runner.engine.stats
        assert stats.n_decodes >= 40
        assert stats.n_busy_slots >= stats.n_decodes
        assert stats.sampling_seconds > 0
        assert stats.decode_seconds > 0
        assert stats.n_graphs_reused > 0

    runner.run(test)


def test_the_reasons_of_ends_are_counted(runner: EngineRunner) -> None:
    async def test() -> None:
        await runner.complete(STORY, ENDLESS, n_predict=2)
        await runner.complete(STORY, ENDLESS, n_predict=50, stop=("a", "e", "o"))
        stream = runner.engine.submit(CompletionRequest(runner.prompt(STORY), ENDLESS))
        await anext(stream)
        stream.cancel()
        await runner.engine.erase_slot(0)
        await runner.engine.erase_slot(1)
        finished = runner.engine.stats.finished
        assert finished == {"eos": 0, "limit": 1, "word": 1, "cancelled": 1, "failed": 0}

    runner.run(test)


def test_a_second_request_with_the_same_prompt_hits_its_own_slot(runner: EngineRunner) -> None:
    async def test() -> None:
        for _ in range(2):
            await runner.complete(STORY, ENDLESS, n_predict=2)
        assert runner.engine.stats.cache.hits[CacheSource.OWN_SLOT] == 1

    runner.run(test)


def test_the_longest_sequence_is_kept(runner: EngineRunner) -> None:
    async def test() -> None:
        for n in (20, 3):
            await runner.complete(STORY, ENDLESS, n_predict=n)
        assert runner.engine.stats.max_sequence_tokens == len(runner.prompt(STORY)) + 20

    runner.run(test)


def test_drafts_are_counted_by_position() -> None:
    stats = EngineStats()
    stats.record_draft(4, 2)
    stats.record_draft(3, 0)
    stats.record_draft(1, 1)
    assert (stats.n_drafts, stats.n_drafted_tokens, stats.n_accepted_tokens) == (3, 8, 3)
    assert stats.accepted_by_position[:3] == [2, 1, 0]
