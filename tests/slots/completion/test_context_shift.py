import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slots.completion.slot_maintenance import discard_range, n_kept, truncate_prompt
from slots.options import EngineOptions
from slots.requests.events import StopReason
from slots.requests.request import CompletionRequest
from slots.requests.sampling_params import SamplingParams
from slots.requests.scope import CacheScope
from tests.slots.engine_runner import WITH_RUNNER_UP, Completion, EngineRunner, MakeRunner, assert_same_text, read

SHIFTING = EngineOptions(context_shift=True)
N_CTX = 256


def test_n_keep_counts_from_behind_bos_and_the_system_prompt() -> None:
    assert n_kept(10, 100, 0, N_CTX, has_bos=False) == 10
    assert n_kept(10, 100, 0, N_CTX, has_bos=True) == 11
    assert n_kept(10, 100, 30, N_CTX, has_bos=True) == 40


def test_minus_one_keeps_all_of_the_prompt() -> None:
    assert n_kept(-1, 100, 0, N_CTX, has_bos=True) == 100


def test_no_more_than_the_prompt_is_kept_and_a_little_may_always_go() -> None:
    assert n_kept(200, 100, 0, N_CTX, has_bos=False) == 100
    assert n_kept(-1, 255, 0, N_CTX, has_bos=False) == 252


def test_half_of_what_is_not_kept_goes() -> None:
    assert discard_range(256, 56) == (56, 156)
    assert discard_range(256, 255) == (255, 256)


def test_as_many_tokens_are_discarded_as_the_request_says() -> None:
    assert discard_range(256, 56, 10) == (56, 66)
    assert discard_range(256, 56, 1000) == (56, 255)


@given(st.integers(257, 3000), st.integers(-1, 400), st.booleans())
def test_a_cut_prompt_fits_and_keeps_its_beginning_and_its_end(n_prompt: int, n_keep: int, has_bos: bool) -> None:
    prompt = tuple(range(n_prompt))
    kept = n_kept(n_keep, n_prompt, 0, N_CTX, has_bos=has_bos)
    cut = truncate_prompt(prompt, kept, N_CTX)
    assert kept < len(cut) < N_CTX + 1
    assert cut[:kept] == prompt[:kept]
    assert cut[kept:] == prompt[kept - len(cut) :]


def test_a_conversation_that_grows_loses_the_same_tokens_for_a_while() -> None:
    grown = [truncate_prompt(tuple(range(n)), 10, N_CTX) for n in range(300, 320)]
    assert len({cut[10] for cut in grown}) == 1


async def complete(runner: EngineRunner, prompt: tuple[int, ...], **options: Any) -> Completion:
    return await read(runner.engine.submit(CompletionRequest(prompt, WITH_RUNNER_UP, **options)))


@pytest.mark.parametrize("kv_unified", [True, False])
def test_a_text_goes_on_beyond_the_end_of_the_context(make_runner: MakeRunner, kv_unified: bool) -> None:
    runner = make_runner(SHIFTING, n_ctx=N_CTX, n_parallel=1, kv_unified=kv_unified)

    async def test() -> None:
        answer = await complete(runner, runner.prompt("Once upon a time"), n_predict=700)
        assert len(answer.tokens) == 700
        assert answer.finished.truncated
        assert answer.finished.reason is StopReason.LIMIT
        assert len(set(answer.text.split())) > 20, "it should still be a text"

    runner.run(test)


def test_up_to_the_end_of_the_context_the_text_is_what_it_is_without_shifting(make_runner: MakeRunner) -> None:
    shifting, plain = make_runner(SHIFTING, n_ctx=N_CTX, n_parallel=1), make_runner(n_ctx=N_CTX, n_parallel=1)
    answers = []

    async def test() -> None:
        prompt = plain.prompt("Once upon a time")
        n_room = N_CTX - len(prompt)
        answers.append(await complete(shifting, prompt, n_predict=n_room))

    async def test_plain() -> None:
        answers.append(await complete(plain, plain.prompt("Once upon a time")))

    shifting.run(test)
    plain.run(test_plain)
    assert not answers[0].finished.truncated
    assert answers[1].finished.truncated
    assert_same_text(*answers)


def test_the_slot_holds_what_was_kept_and_what_came_last(make_runner: MakeRunner) -> None:
    runner = make_runner(SHIFTING, n_ctx=N_CTX, n_parallel=1)

    async def test() -> None:
        prompt = runner.prompt("Once upon a time there was a dog who could sing.")
        answer = await complete(runner, prompt, n_predict=400, n_keep=-1)
        saved = await runner.engine.save_slot(0)
        generated = tuple(answer.token_ids)
        n_generated = len(saved.tokens) - len(prompt)
        assert saved.tokens == prompt + generated[-n_generated - 1 : -1]
        assert saved.n_unshifted == len(prompt)

    runner.run(test)


def test_what_is_behind_a_shift_is_not_offered_to_others(make_runner: MakeRunner) -> None:
    runner = make_runner(SHIFTING, n_ctx=2 * N_CTX, n_parallel=2)

    async def test() -> None:
        prompt = runner.prompt("Once upon a time there was a dog who could sing. It lived in a house by the sea.")
        await complete(runner, prompt, n_predict=400, n_keep=-1, slot_id=0)
        saved = await runner.engine.save_slot(0)
        other = await complete(runner, saved.tokens, n_predict=1, slot_id=1)
        assert other.finished.timings.cached_n == len(prompt)

    runner.run(test)


@pytest.mark.parametrize("kv_unified", [True, False])
def test_a_shift_changes_nothing_for_who_shares_the_prefix(make_runner: MakeRunner, kv_unified: bool) -> None:
    """In a pool the cells that both use must stay where they are."""
    runner = make_runner(SHIFTING, n_ctx=4 * N_CTX, n_parallel=4, kv_unified=kv_unified)
    n_ctx = runner.engine.n_ctx_slot

    async def test() -> None:
        prompt = runner.prompt("Once upon a time there was a dog who could sing. It lived in a house by the sea.")
        near_end = (*prompt * 100,)[: n_ctx - 30]
        fresh = await complete(runner, (*near_end, 7, 8), n_predict=25, cache_prompt=False)
        await complete(runner, near_end, n_predict=1)
        shifting, other = await asyncio.gather(
            complete(runner, near_end, n_predict=60), complete(runner, (*near_end, 7, 8), n_predict=25)
        )
        assert shifting.finished.truncated
        assert not other.finished.truncated
        assert_same_text(fresh, other)

    runner.run(test)


def test_a_prompt_that_is_too_long_is_cut_and_says_so(make_runner: MakeRunner) -> None:
    runner = make_runner(SHIFTING, n_ctx=N_CTX, n_parallel=1)

    async def test() -> None:
        answer = await complete(runner, tuple(range(10, 1010)), n_predict=3, n_keep=20)
        assert answer.finished.truncated
        assert answer.finished.n_prompt_tokens < N_CTX
        saved = await runner.engine.save_slot(0)
        assert saved.tokens[:20] == tuple(range(10, 30))
        assert saved.tokens[answer.finished.n_prompt_tokens - 1] == 1009

    runner.run(test)


def test_the_system_prompt_stays(make_runner: MakeRunner) -> None:
    runner = make_runner(SHIFTING, n_ctx=N_CTX, n_parallel=1)

    async def test() -> None:
        prompt = tuple(range(10, 60))
        await complete(runner, prompt, n_predict=300, scope=CacheScope("", n_public=30))
        saved = await runner.engine.save_slot(0)
        assert saved.tokens[:30] == prompt[:30]
        assert saved.tokens[:31] != prompt[:31]

    runner.run(test)


def test_penalties_and_dry_outlive_a_shift(make_runner: MakeRunner) -> None:
    runner = make_runner(SHIFTING, n_ctx=N_CTX, n_parallel=1)
    looking_back = SamplingParams(
        temperature=0.0, ignore_eos=True, repeat_last_n=-1, dry_multiplier=0.8, dry_penalty_last_n=-1
    )

    async def test() -> None:
        answer = await runner.complete("Once upon a time", looking_back, n_predict=600)
        assert len(answer.tokens) == 600

    runner.run(test)


def test_what_is_not_public_stays_so_when_it_moves(make_runner: MakeRunner) -> None:
    """A public part that leaves no room would have the rest of the text move into its place."""
    runner = make_runner(SHIFTING, n_ctx=2 * N_CTX, n_parallel=2)

    async def test() -> None:
        public = tuple(range(10, 10 + N_CTX - 1))
        await complete(runner, (*public, *range(500, 600)), n_predict=1, scope=CacheScope("mine", len(public)))
        saved = await runner.engine.save_slot(0)
        theirs = await complete(runner, (*saved.tokens, 7), n_predict=1, scope=CacheScope("theirs", len(public)))
        assert theirs.finished.timings.cached_n <= N_CTX - 4

    runner.run(test)
