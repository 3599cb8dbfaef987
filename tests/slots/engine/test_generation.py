"""How a generation ends, and what its events say."""

from typing import Any

import pytest

from slots.errors import PromptTooLong
from slots.requests.events import StopReason
from slots.requests.sampling_params import SamplingParams
from tests.slots.engine.prompts import ENDLESS, PROMPTS, endless
from tests.slots.engine_runner import EngineRunner, MakeRunner, read


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
        assert answer.token_ids == [eos]

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


@pytest.mark.parametrize("options", [{"n_predict": 5}, {"stop": ("e",)}, {"n_predict": 5, "is_streamed": False}])
def test_only_the_last_token_says_that_it_is_the_last(runner: EngineRunner, options: dict[str, Any]) -> None:
    async def test() -> None:
        answer = await runner.complete(PROMPTS[0], ENDLESS, **options)
        *others, last = [token.is_last for token in answer.tokens]
        assert last
        assert not any(others)

    runner.run(test)


def test_a_generation_ends_with_the_context_and_says_so(make_runner: MakeRunner) -> None:
    runner = make_runner(n_ctx=256)

    async def test() -> None:
        answer = await read(runner.engine.submit(endless(runner)))
        assert answer.finished.reason is StopReason.LIMIT
        assert answer.finished.truncated
        n_prompt = len(runner.prompt(PROMPTS[0]))
        assert n_prompt + len(answer.tokens) == runner.engine.n_ctx_slot

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
