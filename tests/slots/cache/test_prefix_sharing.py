"""No prefix is computed twice: the real engine on the bundled model."""

import asyncio
from typing import Any

import pytest

from slots.options import EngineOptions
from slots.requests.request import CompletionRequest
from slots.requests.scope import CacheScope
from tests.slots.engine_runner import WITH_RUNNER_UP, Completion, EngineRunner, MakeRunner, assert_same_text, read

STORY = (
    "Once upon a time there was a little girl named Lily who lived in a small house near the forest. She had a dog"
    " named Max and they liked to play with a red ball in the garden every day after breakfast. One day the ball"
    " rolled into the forest and Lily was sad, but Max was not afraid. He ran after the ball and barked at the trees."
)
ENDINGS = [" Then", " Lily said", " The trees", " Max found", " Her mom called", " The ball was", " A bird", " And so"]

both_layouts = pytest.mark.parametrize("kv_unified", [True, False])


def request(runner: EngineRunner, prompt: str, **options: Any) -> CompletionRequest:
    return CompletionRequest(runner.prompt(prompt), WITH_RUNNER_UP, **{"n_predict": 12, **options})


async def complete(runner: EngineRunner, prompt: str, **options: Any) -> Completion:
    return await read(runner.engine.submit(request(runner, prompt, **options)))


def n_common(runner: EngineRunner, one: str, other: str) -> int:
    pairs = zip(runner.prompt(one), runner.prompt(other), strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), 0)


@both_layouts
def test_a_prefix_is_taken_from_a_slot_that_is_still_generating(make_runner: MakeRunner, kv_unified: bool) -> None:
    runner = make_runner(kv_unified=kv_unified, n_ctx=2048)

    async def test() -> None:
        fresh = await complete(runner, STORY + ENDINGS[1], cache_prompt=False, slot_id=3)
        await runner.engine.erase_slot(3)
        owner = runner.engine.submit(request(runner, STORY + ENDINGS[0], n_predict=200))
        await anext(owner)
        answer = await complete(runner, STORY + ENDINGS[1])
        assert runner.engine.slot_statuses()[0].is_processing, "the owner should still be at it"
        owner.cancel()
        assert answer.finished.timings.cached_n == n_common(runner, STORY + ENDINGS[0], STORY + ENDINGS[1])
        assert_same_text(fresh, answer)

    runner.run(test)


@both_layouts
def test_of_requests_that_come_together_one_computes_what_they_have_in_common(
    make_runner: MakeRunner, kv_unified: bool
) -> None:
    runner = make_runner(kv_unified=kv_unified, n_ctx=4096, n_parallel=8, n_batch=32, n_ubatch=32)

    async def test() -> None:
        prompts = [STORY + ending for ending in ENDINGS]
        answers = await asyncio.gather(*(complete(runner, prompt) for prompt in prompts))
        n_shared = len(runner.prompt(STORY))
        n_computed = sum(answer.finished.timings.prompt_n for answer in answers)
        n_needed = n_shared + sum(len(runner.prompt(prompt)) - n_shared for prompt in prompts)
        assert n_computed <= 1.05 * n_needed
        for prompt, answer in zip(prompts, answers, strict=True):
            assert_same_text(await complete(runner, prompt, cache_prompt=False), answer)

    runner.run(test)


@both_layouts
def test_when_the_one_that_computes_for_others_is_cancelled_they_go_on(
    make_runner: MakeRunner, kv_unified: bool
) -> None:
    runner = make_runner(kv_unified=kv_unified, n_ctx=8192, n_batch=8, n_ubatch=8)
    story = STORY * 12  # which takes more than a hundred steps

    async def test() -> None:
        first = runner.engine.submit(request(runner, story + ENDINGS[0]))
        others = [asyncio.ensure_future(complete(runner, story + ending)) for ending in ENDINGS[1:4]]
        while all(status.waits_for is None for status in runner.engine.slot_statuses()):
            assert not any(other.done() for other in others), "they should have waited"
            await asyncio.sleep(0.001)
        first.cancel()
        answers = await asyncio.gather(*others)
        n_shared = len(runner.prompt(story))
        assert sum(answer.finished.timings.prompt_n for answer in answers) <= n_shared + 30

    runner.run(test)


def test_a_conversation_that_lost_its_slot_gets_back_what_was_computed(make_runner: MakeRunner) -> None:
    runner = make_runner(n_parallel=1, n_ctx=512)

    async def test() -> None:
        first = await complete(runner, STORY, session="a visitor")
        await complete(runner, "Tom and Sam went to the park to see the big old tree that stood by the lake there.")
        so_far = (*runner.prompt(STORY), *first.token_ids)
        going_on = CompletionRequest((*so_far, 5, 6), WITH_RUNNER_UP, n_predict=12, session="a visitor")
        again = await read(runner.engine.submit(going_on))
        assert again.finished.timings.cached_n == len(so_far) - 1
        await runner.engine.erase_slot(0)
        fresh = CompletionRequest((*so_far, 5, 6), WITH_RUNNER_UP, n_predict=12, cache_prompt=False)
        assert_same_text(await read(runner.engine.submit(fresh)), again)

    runner.run(test)


def test_without_memory_for_it_nothing_is_parked(make_runner: MakeRunner) -> None:
    runner = make_runner(EngineOptions(cache_ram_mib=0), n_parallel=1, n_ctx=512)

    async def test() -> None:
        await complete(runner, STORY)
        await complete(runner, "Tom and Sam went to the park to see the big old tree that stood by the lake there.")
        again = await complete(runner, STORY)
        assert again.finished.timings.cached_n <= 1

    runner.run(test)


@both_layouts
def test_requests_with_another_salt_share_no_more_than_the_public_part(
    make_runner: MakeRunner, kv_unified: bool
) -> None:
    runner = make_runner(kv_unified=kv_unified, n_ctx=2048)

    async def test() -> None:
        await complete(runner, STORY, scope=CacheScope("mine", n_public=20))
        other = await complete(runner, STORY, scope=CacheScope("yours", n_public=20))
        assert other.finished.timings.cached_n == 20
        mine = await complete(runner, STORY, scope=CacheScope("mine", n_public=20))
        assert mine.finished.timings.cached_n == len(runner.prompt(STORY)) - 1
        nobodys = await complete(runner, STORY, scope=CacheScope("theirs"))
        assert nobodys.finished.timings.cached_n == 0

    runner.run(test)


def test_a_slot_asked_for_by_number_takes_the_prefix_from_wherever_it_is(make_runner: MakeRunner) -> None:
    runner = make_runner(n_ctx=2048)

    async def test() -> None:
        await complete(runner, STORY, slot_id=1)
        answer = await complete(runner, STORY + ENDINGS[0], slot_id=3)
        assert answer.finished.slot_id == 3
        assert answer.finished.timings.cached_n == len(runner.prompt(STORY))

    runner.run(test)


@both_layouts
def test_chunks_behind_what_was_left_out_are_moved_for_the_same_session(
    make_runner: MakeRunner, kv_unified: bool
) -> None:
    runner = make_runner(kv_unified=kv_unified, n_ctx=2048)

    async def test() -> None:
        tokens = runner.prompt(STORY)
        shortened = (*tokens[:20], *tokens[40:])

        async def ask(prompt: tuple[int, ...], session: str) -> Completion:
            request = CompletionRequest(
                prompt, WITH_RUNNER_UP, n_predict=4, session=session, slot_id=0, n_cache_reuse=8
            )
            return await read(runner.engine.submit(request))

        await ask(tokens, "mine")
        moved = await ask(shortened, "mine")
        assert moved.finished.timings.cached_n == len(shortened) - 1
        await ask(tokens, "mine")
        not_moved = await ask(shortened, "another")
        assert not_moved.finished.timings.cached_n == 20

    runner.run(test)


def test_what_was_moved_is_not_taken_for_what_others_would_compute(make_runner: MakeRunner) -> None:
    runner = make_runner(n_ctx=2048)

    async def test() -> None:
        tokens = runner.prompt(STORY)
        shortened = (*tokens[:20], *tokens[40:])
        for prompt in (tokens, shortened):
            request = CompletionRequest(prompt, WITH_RUNNER_UP, n_predict=1, session="mine", slot_id=0, n_cache_reuse=8)
            await read(runner.engine.submit(request))
        other = await read(runner.engine.submit(CompletionRequest(shortened, WITH_RUNNER_UP, n_predict=12)))
        assert other.finished.timings.cached_n == 20

    runner.run(test)


def test_a_full_pool_costs_no_request_a_token_of_its_text(
    make_runner: MakeRunner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="slots")
    roomy = make_runner(kv_unified=True, n_ctx=4096)
    tight = make_runner(kv_unified=True, n_ctx=256)

    async def ask(runner: EngineRunner) -> list[Completion]:
        return await asyncio.gather(*(complete(runner, "A" + ending, n_predict=100) for ending in ENDINGS[:4]))

    answers: list[list[Completion]] = []

    async def ask_roomy() -> None:
        answers.append(await ask(roomy))

    async def ask_tight() -> None:
        answers.append(await ask(tight))

    roomy.run(ask_roomy)
    assert "is preempted" not in caplog.text
    tight.run(ask_tight)
    assert "is preempted" in caplog.text, "a request should have been preempted"
    for one, other in zip(*answers, strict=True):
        assert not other.finished.truncated
        assert_same_text(one, other)
