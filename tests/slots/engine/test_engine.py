import asyncio
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from benchmarks.sampling.synthetic_model import write_model
from slots.engine import Engine
from slots.errors import InvalidRequest, ModelLoadError, PromptTooLong, QueueFull, ShuttingDown, StepFailed
from slots.llama import Context, DecodeError
from slots.options import ContextOptions, EngineOptions, ModelOptions
from slots.requests.events import Finished, StopReason
from slots.requests.request import CompletionRequest
from slots.requests.sampling_params import SamplingParams
from slots.scheduling.kv_cache_manager import KvCacheManager
from tests.slots.engine_runner import GREEDY, EngineRunner, MakeRunner, read

PROMPTS = [
    "Once upon a time",
    "One day, a little girl named Lily",
    "Tom and Sam went to the park",
    "There was a big dog",
    "The cat was very",
    "Mom said",
    "In the forest",
    "A bird",
]
ENDLESS = SamplingParams(temperature=0.0, ignore_eos=True)


def endless(runner: EngineRunner, prompt: str = PROMPTS[0], **options: Any) -> CompletionRequest:
    """A request that goes on until the end of the context."""
    return CompletionRequest(runner.prompt(prompt), ENDLESS, **options)


async def wait_until_idle(runner: EngineRunner) -> None:
    while any(status.is_processing for status in runner.engine.slot_statuses()):  # noqa: ASYNC110
        await asyncio.sleep(0.005)


def test_a_generation_ends_after_n_predict_tokens(runner: EngineRunner) -> None:
    async def test() -> None:
        answer = await runner.complete(PROMPTS[0], ENDLESS, n_predict=7)
        assert len(answer.tokens) == answer.finished.timings.predicted_n == 7
        assert answer.finished.reason is StopReason.LIMIT
        assert not answer.finished.truncated

    runner.run(test)


def test_n_predict_zero_only_evaluates_the_prompt(runner: EngineRunner) -> None:
    async def test() -> None:
        answer = await runner.complete(PROMPTS[0], n_predict=0, cache_prompt=False)
        assert answer.tokens == []
        assert answer.finished.timings.prompt_n == len(runner.prompt(PROMPTS[0]))
        again = await runner.complete(PROMPTS[0], n_predict=1)
        assert again.finished.timings.prompt_n == 1

    runner.run(test)


def test_a_generation_ends_at_an_end_of_generation_token(runner: EngineRunner) -> None:
    async def test() -> None:
        eos = runner.engine.vocab.eos
        assert eos is not None
        certain = SamplingParams(temperature=0.0, logit_bias=((eos, 1e6),))
        answer = await runner.complete(PROMPTS[0], certain)
        assert answer.finished.reason is StopReason.EOS
        assert answer.text == ""
        assert [token.token for token in answer.tokens] == [eos]

    runner.run(test)


def test_a_generation_ends_at_a_stop_string_which_is_not_shown(runner: EngineRunner) -> None:
    async def test() -> None:
        text = (await runner.complete(PROMPTS[0], ENDLESS, n_predict=30)).text
        word = text[10:16]
        answer = await runner.complete(PROMPTS[0], ENDLESS, n_predict=30, stop=("nowhere to be found", word))
        assert answer.text == text[: text.index(word)]
        assert answer.finished.reason is StopReason.WORD
        assert answer.finished.stopping_word == word

    runner.run(test)


def test_a_generation_ends_with_the_context_and_says_so(make_runner: MakeRunner) -> None:
    runner = make_runner(n_ctx=256)

    async def test() -> None:
        answer = await read(runner.engine.submit(endless(runner)))
        assert answer.finished.reason is StopReason.LIMIT
        assert answer.finished.truncated
        n_prompt = len(runner.prompt(PROMPTS[0]))
        assert n_prompt + len(answer.tokens) == runner.engine.n_ctx_slot + 1

    runner.run(test)


def test_a_prompt_may_fill_the_context_but_not_exceed_it(make_runner: MakeRunner) -> None:
    runner = make_runner(n_ctx=256)

    async def test() -> None:
        n_ctx = runner.engine.n_ctx_slot
        full = await runner.complete((5,) * n_ctx, ENDLESS)
        assert len(full.tokens) == 1
        with pytest.raises(PromptTooLong) as refused:
            await runner.complete((5,) * (n_ctx + 1))
        assert (refused.value.n_prompt_tokens, refused.value.n_ctx) == (n_ctx + 1, n_ctx)

    runner.run(test)


def test_a_limit_waits_for_the_end_of_a_character(runner: EngineRunner) -> None:
    async def test() -> None:
        vocab = runner.engine.vocab
        head = [t for t in range(vocab.n_tokens) if vocab.piece(t) == "é".encode()[:1]]
        tail = [t for t in range(vocab.n_tokens) if vocab.piece(t) == "é".encode()[1:]]
        assert head, "the vocabulary has every byte"
        assert tail, "the vocabulary has every byte"
        only_these = SamplingParams(
            temperature=0.0, repeat_penalty=1e6, logit_bias=((head[0], 2000.0), (tail[0], 1000.0))
        )
        answer = await runner.complete(PROMPTS[0], only_these, n_predict=1)
        assert answer.text == "é"
        assert len(answer.tokens) == 2

    runner.run(test)


def test_a_limit_does_not_wait_for_a_character_that_never_ends(runner: EngineRunner) -> None:
    async def test() -> None:
        vocab = runner.engine.vocab
        head = [t for t in range(vocab.n_tokens) if vocab.piece(t) == "é".encode()[:1]]
        only_this = SamplingParams(temperature=0.0, repeat_penalty=1.0, logit_bias=((head[0], 1000.0),))
        answer = await runner.complete(PROMPTS[0], only_this, n_predict=4)
        assert len(answer.tokens) <= 7

    runner.run(test)


def test_requests_side_by_side_get_the_text_that_each_gets_alone(make_runner: MakeRunner) -> None:
    runner = make_runner(kv_unified=False)

    async def test() -> None:
        alone = [(await runner.complete(prompt, n_predict=40)).text for prompt in PROMPTS]
        together = await asyncio.gather(*(runner.complete(prompt, n_predict=40) for prompt in PROMPTS))
        assert [answer.text for answer in together] == alone

    runner.run(test)


def test_in_a_shared_pool_only_a_tie_can_make_the_text_another_one(make_runner: MakeRunner) -> None:
    """There the shape of a batch changes how sums are rounded, and with it which of two equals is the largest."""
    runner = make_runner(kv_unified=True)
    with_probabilities = SamplingParams(temperature=0.0, n_probs=2)

    async def test() -> None:
        alone = [await runner.complete(prompt, with_probabilities, n_predict=40) for prompt in PROMPTS]
        together = await asyncio.gather(
            *(runner.complete(prompt, with_probabilities, n_predict=40) for prompt in PROMPTS)
        )
        for one, other in zip(alone, together, strict=True):
            for mine, theirs in zip(one.tokens, other.tokens, strict=False):
                assert mine.logprobs is not None
                first, second = mine.logprobs.top
                if mine.token != theirs.token:
                    assert first.logprob - second.logprob < 0.05
                    break

    runner.run(test)


def test_a_new_request_joins_the_running_ones(runner: EngineRunner) -> None:
    async def test() -> None:
        first = runner.engine.submit(endless(runner))
        await anext(first)
        second = await runner.complete(PROMPTS[1], n_predict=5)
        assert second.finished.reason in (StopReason.LIMIT, StopReason.EOS)
        assert any(status.is_processing for status in runner.engine.slot_statuses())
        first.cancel()
        await wait_until_idle(runner)

    runner.run(test)


def test_requests_that_share_a_full_pool_all_come_to_their_end(make_runner: MakeRunner) -> None:
    runner = make_runner(n_ctx=256, n_parallel=4)

    async def test() -> None:
        answers = await asyncio.gather(*(read(runner.engine.submit(endless(runner, prompt))) for prompt in PROMPTS))
        for prompt, answer in zip(PROMPTS, answers, strict=True):
            assert len(runner.prompt(prompt)) + len(answer.tokens) == 257
            assert answer.finished.truncated

    runner.run(test)


def test_what_a_slot_has_of_a_prompt_is_not_computed_again(runner: EngineRunner) -> None:
    async def test() -> None:
        prompt = runner.prompt("Once upon a time, there was a little dog who liked to play with a red ball.")
        first = await runner.complete(prompt, n_predict=4, cache_prompt=False)
        assert first.finished.timings.cached_n == 0
        second = await runner.complete(prompt, n_predict=4)
        assert second.finished.timings.cached_n == len(prompt) - 1
        assert second.finished.timings.prompt_n == 1
        assert second.finished.slot_id == first.finished.slot_id
        assert second.text == first.text

    runner.run(test)


def test_a_conversation_that_goes_on_computes_only_what_is_new(runner: EngineRunner) -> None:
    async def test() -> None:
        prompt = runner.prompt("Lily and Ben wanted to see what was in the big old box in the garden.")
        first = await runner.complete(prompt, ENDLESS, n_predict=20)
        so_far = (*prompt, *(token.token for token in first.tokens))
        second = await runner.complete((*so_far, 5, 6), n_predict=1)
        assert second.finished.timings.cached_n == len(so_far) - 1

    runner.run(test)


def test_a_request_can_refuse_the_cache(runner: EngineRunner) -> None:
    async def test() -> None:
        await runner.complete(PROMPTS[0], n_predict=1)
        answer = await runner.complete(PROMPTS[0], n_predict=1, cache_prompt=False)
        assert answer.finished.timings.cached_n == 0

    runner.run(test)


def test_a_request_gets_the_slot_it_asks_for(runner: EngineRunner) -> None:
    async def test() -> None:
        for slot_id in range(runner.engine.n_slots):
            answer = await runner.complete(PROMPTS[0], n_predict=1, slot_id=slot_id)
            assert answer.finished.slot_id == slot_id

    runner.run(test)


def test_a_session_gets_its_slot_again(runner: EngineRunner) -> None:
    async def test() -> None:
        first = await runner.complete(PROMPTS[2], n_predict=1, session="a visitor", slot_id=3)
        again = await runner.complete(PROMPTS[5], n_predict=1, session="a visitor")
        assert again.finished.slot_id == first.finished.slot_id == 3

    runner.run(test)


def test_the_same_seed_gives_the_same_text_and_the_seed_is_told(runner: EngineRunner) -> None:
    async def test() -> None:
        first = await runner.complete(PROMPTS[0], SamplingParams(temperature=1.5), n_predict=20)
        same = SamplingParams(temperature=1.5, seed=first.finished.seed)
        again = await runner.complete(PROMPTS[0], same, n_predict=20, slot_id=first.finished.slot_id)
        assert again.text == first.text

    runner.run(test)


def test_probabilities_come_with_each_token_when_asked_for(runner: EngineRunner) -> None:
    async def test() -> None:
        answer = await runner.complete(PROMPTS[0], SamplingParams(temperature=0.0, n_probs=3), n_predict=5)
        for token in answer.tokens:
            assert token.logprobs is not None
            assert token.logprobs.sampled.token == token.token
            assert len(token.logprobs.top) == 3
            logprobs = [candidate.logprob for candidate in token.logprobs.top]
            assert logprobs == sorted(logprobs, reverse=True)

    runner.run(test)


def test_cancelling_frees_the_slot_and_others_go_on(runner: EngineRunner) -> None:
    async def test() -> None:
        streams = [runner.engine.submit(endless(runner, prompt)) for prompt in PROMPTS[:4]]
        for stream in streams:
            await anext(stream)
        streams[0].cancel()
        freed = await runner.complete(PROMPTS[4], n_predict=3)
        assert freed.finished.reason in (StopReason.LIMIT, StopReason.EOS)
        for stream in streams[1:]:
            stream.cancel()
        await wait_until_idle(runner)

    runner.run(test)


def test_a_waiting_request_can_be_cancelled(make_runner: MakeRunner) -> None:
    runner = make_runner(EngineOptions(max_queue=1), n_parallel=1)

    async def test() -> None:
        running = runner.engine.submit(endless(runner))
        await anext(running)
        waiting = runner.engine.submit(endless(runner))
        waiting.cancel()
        running.cancel()
        await wait_until_idle(runner)
        other = await asyncio.gather(*(runner.complete(PROMPTS[0], ENDLESS, n_predict=2) for _ in range(2)))
        assert [answer.finished.timings.predicted_n for answer in other] == [2, 2]

    runner.run(test)


def test_more_requests_than_may_wait_are_refused(make_runner: MakeRunner) -> None:
    runner = make_runner(EngineOptions(max_queue=2), n_parallel=1)

    async def test() -> None:
        streams = [runner.engine.submit(endless(runner, n_predict=50)) for _ in range(3)]
        with pytest.raises(QueueFull):
            runner.engine.submit(endless(runner))
        answers = await asyncio.gather(*map(read, streams))
        assert [answer.finished.timings.predicted_n for answer in answers] == [50, 50, 50]
        later = await runner.complete(PROMPTS[0], ENDLESS, n_predict=2)
        assert later.finished.timings.predicted_n == 2

    runner.run(test)


def test_an_answer_that_nobody_reads_keeps_its_place_in_the_queue(make_runner: MakeRunner) -> None:
    runner = make_runner(EngineOptions(max_queue=1), n_parallel=1)

    async def test() -> None:
        unread = [runner.engine.submit(endless(runner, n_predict=2)) for _ in range(2)]
        await asyncio.sleep(0.1)
        await wait_until_idle(runner)
        with pytest.raises(QueueFull):
            runner.engine.submit(endless(runner))
        await read(unread[0])
        unread[1].cancel()
        for _ in range(2):
            await runner.complete(PROMPTS[0], n_predict=1)

    runner.run(test)


def test_waiting_requests_are_served_in_the_order_in_which_they_came(make_runner: MakeRunner) -> None:
    runner = make_runner(n_parallel=1)

    async def test() -> None:
        ended: list[int] = []

        async def follow(number: int) -> None:
            await read(runner.engine.submit(endless(runner, n_predict=3)))
            ended.append(number)

        await asyncio.gather(*map(follow, range(6)))
        assert ended == list(range(6))

    runner.run(test)


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("prompt", {"prompt": (10**6,)}),
        ("prompt", {"prompt": (-1,)}),
        ("slot_id", {"slot_id": 99}),
        ("logit_bias", {"sampling": SamplingParams(logit_bias=((10**6, 1.0),))}),
    ],
)
def test_what_this_model_cannot_serve_is_refused_by_name(
    runner: EngineRunner, field: str, options: dict[str, Any]
) -> None:
    async def test() -> None:
        with pytest.raises(InvalidRequest) as refused:
            runner.engine.submit(CompletionRequest(**{"prompt": (1,), **options}))
        assert refused.value.field == field

    runner.run(test)


def test_a_request_that_rules_out_every_token_fails_alone(runner: EngineRunner) -> None:
    async def test() -> None:
        other = asyncio.ensure_future(runner.complete(PROMPTS[1], ENDLESS, n_predict=30))
        nothing_left = tuple((token, float("-inf")) for token in range(runner.engine.vocab.n_tokens))
        with pytest.raises(InvalidRequest):
            await runner.complete(PROMPTS[0], SamplingParams(logit_bias=nothing_left))
        assert (await other).finished.timings.predicted_n == 30

    runner.run(test)


@pytest.mark.parametrize("failure", [DecodeError("no"), RuntimeError("a bug")])
def test_a_step_that_fails_ends_its_requests_and_the_next_step_runs(runner: EngineRunner, failure: Exception) -> None:
    async def test() -> None:
        with patch.object(Context, "decode", side_effect=failure), pytest.raises(StepFailed):
            await runner.complete(PROMPTS[0], slot_id=0)
        answer = await runner.complete(PROMPTS[0], GREEDY, n_predict=5, slot_id=0)
        assert answer.finished.timings.cached_n == 0
        assert answer.text

    runner.run(test)


def test_a_failure_outside_of_a_step_ends_all_requests_and_the_engine_goes_on(runner: EngineRunner) -> None:
    async def test() -> None:
        with patch("slots.scheduling.scheduler.choose_slot", side_effect=MemoryError), pytest.raises(StepFailed):
            await runner.complete(PROMPTS[0])
        assert (await runner.complete(PROMPTS[0], n_predict=5)).text

    runner.run(test)


def test_an_engine_whose_thread_fails_ends_all_streams_and_says_so(make_runner: MakeRunner) -> None:
    runner = make_runner()

    async def test() -> None:
        stream = runner.engine.submit(endless(runner))
        await anext(stream)
        with (
            patch("slots.completion.runner.schedule", side_effect=SystemError),
            patch.object(KvCacheManager, "reset", side_effect=SystemError),
        ):
            with pytest.raises((StepFailed, ShuttingDown)):
                await read(stream)
            with pytest.raises(StepFailed, match="has to be started again"):
                while True:
                    await read(runner.engine.submit(endless(runner)))

    runner.run(test)


def test_draining_lets_running_requests_finish_and_fails_the_others(make_runner: MakeRunner) -> None:
    runner = make_runner(n_parallel=1)

    async def test() -> None:
        running = runner.engine.submit(endless(runner, n_predict=60))
        await anext(running)
        waiting = runner.engine.submit(endless(runner))
        runner.engine.drain()
        with pytest.raises(ShuttingDown):
            runner.engine.submit(endless(runner))
        with pytest.raises(ShuttingDown):
            await read(waiting)
        finished = [event async for event in running][-1]
        assert isinstance(finished, Finished)
        assert finished.timings.predicted_n == 60

    runner.run(test)


def test_stopping_ends_running_requests_with_an_error(make_runner: MakeRunner) -> None:
    runner = make_runner()

    async def test() -> None:
        stream = runner.engine.submit(endless(runner))
        await anext(stream)
        runner.engine.stop()
        with pytest.raises(ShuttingDown):
            await read(stream)
        assert runner.prompt("the vocabulary is still there")

    runner.run(test)


def test_slots_tell_what_they_do(runner: EngineRunner) -> None:
    async def test() -> None:
        stream = runner.engine.submit(endless(runner, n_predict=400, slot_id=2))
        await anext(stream)
        status = runner.engine.slot_statuses()[2]
        assert status.slot_id == 2
        assert status.is_processing
        assert status.n_prompt_tokens == len(runner.prompt(PROMPTS[0]))
        assert status.n_decoded >= 1
        stream.cancel()
        await wait_until_idle(runner)
        assert not runner.engine.slot_statuses()[2].is_processing

    runner.run(test)


def test_a_model_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    """llama.cpp ends the process where it is asked for the tokens of such a model."""
    path = tmp_path / "model.gguf"
    write_model(path, 1000)
    with pytest.raises(ModelLoadError, match="has no tokenizer"):
        Engine.load(ModelOptions(path), ContextOptions(n_ctx=256), EngineOptions(), lambda _share: None)
