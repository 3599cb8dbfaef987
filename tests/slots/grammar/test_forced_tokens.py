"""Forced tokens: those that a grammar leaves no choice about are computed together."""

import asyncio
import math
import re
from typing import Any

import pytest

from slots.errors import InvalidRequest
from slots.requests.events import StopReason
from slots.requests.sampling_params import SamplingParams
from tests.slots.engine_runner import EngineRunner, MakeRunner
from tests.slots.grammar.forcing import CODE, batch_sizes, compiled, forcing_nothing

PROMPT = "Once upon a time"
FORCING = (
    f'root ::= "{CODE}" name "{CODE} 日本語" name "{CODE}{CODE}" end\nname ::= [a-z]{{2,6}}\nend ::= "!" | "?{CODE}"'
)
"""Long stretches without a choice, between some with one."""
FORCED_TEXT = re.compile(rf"{CODE}[a-z]{{2,6}}{CODE} 日本語[a-z]{{2,6}}{CODE}{CODE}(!|\?{CODE})")
PENALTIES: dict[str, Any] = {
    "repeat_penalty": 1.3,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "repeat_last_n": -1,
}


@pytest.mark.parametrize("top_k", [0, 40])
@pytest.mark.parametrize("options", [{"repeat_penalty": 1.0}, PENALTIES], ids=["plain", "penalties"])
@pytest.mark.parametrize("temperature", [0.0, 0.8, 1.5])
def test_forced_tokens_are_those_that_would_be_chosen(
    runner: EngineRunner, temperature: float, options: dict[str, Any], top_k: int
) -> None:
    grammar = compiled(runner, FORCING)
    sampling = SamplingParams(temperature=temperature, top_k=top_k, seed=11, **options)

    async def test() -> None:
        forced = await runner.complete(PROMPT, sampling, n_predict=200, grammar=grammar)
        with forcing_nothing():
            chosen = await runner.complete(PROMPT, sampling, n_predict=200, grammar=grammar)
        assert FORCED_TEXT.fullmatch(chosen.text)
        assert forced.token_ids == chosen.token_ids
        assert forced.text == chosen.text
        assert forced.finished.reason is chosen.finished.reason is StopReason.EOS

    runner.run(test)


@pytest.mark.parametrize(
    "text",
    [
        'root ::= "the big red bus" | "a small dog"',
        'root ::= "größer" | "x"',
        f'root ::= "{CODE}"',
        f'root ::= "no" | "yes{CODE}"',
        'root ::= "x 日本" | "y 語"',
    ],
)
def test_a_forced_end_is_complete(runner: EngineRunner, text: str) -> None:
    async def test() -> None:
        answers = await asyncio.gather(
            *(
                runner.complete(PROMPT, SamplingParams(temperature=1.0, seed=seed), grammar=compiled(runner, text))
                for seed in range(10)
            )
        )
        assert {answer.text for answer in answers} <= set(re.findall('"(.*?)"', text))

    runner.run(test)


def test_forced_tokens_are_computed_together(runner: EngineRunner) -> None:
    grammar = compiled(runner, FORCING)
    sampling = SamplingParams(temperature=0.8, seed=3)

    async def test() -> None:
        with batch_sizes() as sizes:
            answer = await runner.complete(PROMPT, sampling, n_predict=200, grammar=grammar)
        with batch_sizes() as sizes_one_by_one, forcing_nothing():
            await runner.complete(PROMPT, sampling, n_predict=200, grammar=grammar)
        assert len(sizes_one_by_one) == len(answer.tokens)
        assert len(sizes) < len(sizes_one_by_one) / 4
        assert max(sizes) >= len(CODE)

    runner.run(test)


def test_forced_tokens_do_not_disturb_those_beside_them(make_runner: MakeRunner) -> None:
    runner = make_runner(n_parallel=6, n_ctx=6 * 512)
    grammar = compiled(runner, FORCING)
    free = SamplingParams(temperature=0.0, ignore_eos=True)

    async def test() -> None:
        alone = await runner.complete("One day, a little girl", free, n_predict=60)
        forced = [
            runner.complete(PROMPT, SamplingParams(temperature=0.8, seed=seed), n_predict=200, grammar=grammar)
            for seed in range(5)
        ]
        alongside, *answers = await asyncio.gather(
            runner.complete("One day, a little girl", free, n_predict=60), *forced
        )
        assert alongside.text == alone.text
        assert all(FORCED_TEXT.fullmatch(answer.text) for answer in answers)

    runner.run(test)


def test_what_the_forced_tokens_leave_in_the_cache_is_right(make_runner: MakeRunner) -> None:
    runner = make_runner(n_parallel=1, n_ctx=512)
    grammar = compiled(runner, f'root ::= "{CODE * 3}" [a-z]{{2}}')

    async def test() -> None:
        forced = await runner.complete(PROMPT, grammar=grammar)
        prompt = (*runner.prompt(PROMPT), *forced.token_ids)
        cached = await runner.complete(prompt, n_predict=30)
        fresh = await runner.complete(prompt, n_predict=30, cache_prompt=False)
        assert cached.token_ids == fresh.token_ids

    runner.run(test)


@pytest.mark.parametrize("n_predict", [1, 2, 5, 9])
def test_n_predict_cuts_a_forced_stretch(runner: EngineRunner, n_predict: int) -> None:
    grammar = compiled(runner, f'root ::= "{CODE}"')

    async def test() -> None:
        answer = await runner.complete(PROMPT, n_predict=n_predict, grammar=grammar)
        assert len(answer.tokens) == n_predict
        assert answer.finished.reason is StopReason.LIMIT
        whole = await runner.complete(PROMPT, grammar=grammar)
        assert answer.token_ids == whole.token_ids[:n_predict]

    runner.run(test)


def test_the_context_cuts_a_forced_stretch(make_runner: MakeRunner) -> None:
    runner = make_runner(n_parallel=1, n_ctx=256)
    grammar = compiled(runner, f'root ::= "{CODE * 20}"')

    async def test() -> None:
        answer = await runner.complete(PROMPT, grammar=grammar)
        n_prompt = len(runner.prompt(PROMPT))
        assert answer.finished.reason is StopReason.LIMIT
        assert answer.finished.truncated
        assert len(answer.tokens) == 256 - n_prompt

    runner.run(test)


def test_a_stop_string_ends_a_forced_stretch(runner: EngineRunner) -> None:
    grammar = compiled(runner, f'root ::= "{CODE}"')

    async def test() -> None:
        answer = await runner.complete(PROMPT, stop=("Z4J",), grammar=grammar)
        assert answer.text == "Q7X9"
        assert answer.finished.reason is StopReason.WORD

    runner.run(test)


@pytest.mark.parametrize("options", [{"mirostat": 2}, {"adaptive_target": 0.3}, {"dry_multiplier": 1.0}], ids=str)
def test_samplers_with_a_memory_learn_the_same_from_forced_tokens(
    runner: EngineRunner, options: dict[str, Any]
) -> None:
    grammar = compiled(runner, FORCING)
    sampling = SamplingParams(temperature=1.0, seed=5, **options)

    async def test() -> None:
        forced = await runner.complete(PROMPT, sampling, n_predict=200, grammar=grammar)
        with forcing_nothing():
            chosen = await runner.complete(PROMPT, sampling, n_predict=200, grammar=grammar)
        assert forced.token_ids == chosen.token_ids

    runner.run(test)


def test_a_bias_against_a_forced_token_fails_where_that_would_come(runner: EngineRunner) -> None:
    grammar = compiled(runner, 'root ::= [0-9] "QxQ"')
    vocab = runner.engine.vocab
    banned = tuple((token, -math.inf) for token in range(vocab.n_tokens) if vocab.output_bytes(token).startswith(b"x"))

    async def test() -> None:
        with pytest.raises(InvalidRequest, match="logit_bias"):
            await runner.complete(PROMPT, SamplingParams(logit_bias=banned), grammar=grammar)

    runner.run(test)
