"""Sampling under a grammar: its end, and what it has to get along with."""

import asyncio
import json
import math
import re
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import pytest

from slots.completion.runner import CompletionRunner
from slots.errors import InvalidRequest
from slots.llama import Logits
from slots.requests.events import StopReason
from slots.requests.sampling_params import SamplingParams
from slots.sampling.sampler import Sampler
from slots.sampling.samplers.grammar_mask import GrammarMask
from tests.slots.engine_runner import GREEDY, Completion, EngineRunner, MakeRunner
from tests.slots.grammar.forcing import batch_sizes, compiled, forcing_nothing

PROMPT = "Once upon a time"
LIST = 'root ::= "[" item ("," item){3,9} "]"\nitem ::= [a-z]{2,5} " = " [0-9]{1,3}'
LIST_TEXT = re.compile(r"\[[a-z]{2,5} = [0-9]{1,3}(,[a-z]{2,5} = [0-9]{1,3}){3,9}\]")


def test_texts_are_the_same_whether_masks_are_dear_or_not(
    make_runner: MakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = make_runner(n_parallel=4, n_ctx=4 * 512)
    schema = {"type": "array", "minItems": 20, "items": {"type": "string", "maxLength": 12}}
    grammar = compiled(runner, json.dumps(schema), "json_schema")
    n_calls = 0
    first_allowed = GrammarMask.first_k_allowed

    def count(self: GrammarMask, tokens: Sequence[int], n: int) -> list[int] | None:
        nonlocal n_calls
        n_calls += 1
        return first_allowed(self, tokens, n)

    async def texts() -> list[str]:
        samplings = [SamplingParams(temperature=1.5, seed=seed, top_k=8) for seed in range(4)]
        answers = (runner.complete(PROMPT, sampling, n_predict=100, grammar=grammar) for sampling in samplings)
        return [answer.text for answer in await asyncio.gather(*answers)]

    async def test() -> None:
        monkeypatch.setattr("grammar.matcher.SLOW_MASK_SECONDS", math.inf)
        expected = await texts()
        assert n_calls == 0
        monkeypatch.setattr("grammar.matcher.SLOW_MASK_SECONDS", 0.0)
        assert await texts() == expected
        assert n_calls > 20

    with patch.object(GrammarMask, "first_k_allowed", count):
        runner.run(test)


def test_a_grammar_that_is_over_ends_the_text_without_another_step(runner: EngineRunner) -> None:
    grammar = compiled(runner, 'root ::= "a" | "b"')

    async def test() -> None:
        with batch_sizes() as sizes:
            answer = await runner.complete(PROMPT, grammar=grammar)
        assert len(answer.tokens) == len(sizes) == 1
        assert answer.finished.reason is StopReason.EOS

    runner.run(test)


def test_a_grammar_that_is_over_ends_the_text_also_if_ends_are_ignored(runner: EngineRunner) -> None:
    grammar = compiled(runner, LIST)

    async def test() -> None:
        answer = await runner.complete(PROMPT, GREEDY.replace(ignore_eos=True), n_predict=200, grammar=grammar)
        assert LIST_TEXT.fullmatch(answer.text)
        assert answer.finished.reason is StopReason.EOS

    runner.run(test)


@pytest.mark.parametrize(
    "options",
    [
        {"mirostat": 1},
        {"mirostat": 2},
        {"dry_multiplier": 0.8, "dry_allowed_length": 1},
        {"xtc_probability": 1.0, "xtc_threshold": 0.05},
        {"adaptive_target": 0.3, "samplers": ("top_k", "temperature", "adaptive_p")},
        {"dynatemp_range": 0.5},
        {"typical_p": 0.5},
        {"tfs_z": 0.9},
        {"top_n_sigma": 1.0},
        {"min_keep": 3, "top_k": 1},
        {"samplers": ()},
        {"repeat_penalty": 2.0, "repeat_last_n": -1, "temperature": 2.0},
    ],
    ids=str,
)
def test_every_sampler_keeps_to_the_grammar(runner: EngineRunner, options: dict[str, Any]) -> None:
    grammar = compiled(runner, LIST)

    async def test() -> None:
        for seed in range(5):
            sampling = SamplingParams(seed=seed, **options)
            answer = await runner.complete(PROMPT, sampling, n_predict=200, grammar=grammar)
            assert LIST_TEXT.fullmatch(answer.text)

    runner.run(test)


def test_the_greedy_token_is_the_most_likely_one_that_is_allowed(runner: EngineRunner) -> None:
    text = "root ::= [a-z ]{1,40}"
    n_vocab = runner.engine.vocab.n_tokens
    greedy = GREEDY.replace(repeat_penalty=1.0, n_probs=1)  # which the compiled kernel leaves to the sampler
    rows: list[Logits] = []
    choose = Sampler.sample

    def note(self: Sampler, row: Logits, *rest: Any, **options: Any) -> Any:
        rows.append(row.copy())
        return choose(self, row, *rest, **options)

    async def test() -> None:
        with patch.object(Sampler, "sample", note), forcing_nothing():
            answer = await runner.complete(PROMPT, greedy, n_predict=20, grammar=compiled(runner, text))
        matcher = compiled(runner, text).matcher()
        assert len(rows) == len(answer.tokens) > 1
        for row, token in zip(rows, answer.token_ids, strict=True):
            allowed = [each for each in range(n_vocab) if matcher.allows(each)]
            assert token == max(allowed, key=lambda each: row[each])
            if token not in runner.engine.vocab.end_of_generation:
                matcher.accept(token)

    runner.run(test)


def test_probabilities_of_the_model_are_those_before_the_grammar(runner: EngineRunner) -> None:
    grammar = compiled(runner, "root ::= [0-9]{3}")
    sampling = GREEDY.replace(n_probs=3, repeat_penalty=1.0)

    async def test() -> None:
        free = await runner.complete(PROMPT, sampling, n_predict=1)
        bound = await runner.complete(PROMPT, sampling, grammar=grammar)
        first, other = bound.tokens[0].logprobs, free.tokens[0].logprobs
        assert first is not None
        assert other is not None
        assert [each.token for each in first.top] == [each.token for each in other.top]
        assert first.sampled.logprob < min(each.logprob for each in first.top)

    runner.run(test)


def test_probabilities_after_sampling_are_those_under_the_grammar(runner: EngineRunner) -> None:
    grammar = compiled(runner, 'root ::= "x" | "y" | "z"')
    sampling = SamplingParams(
        temperature=1.0, seed=1, n_probs=10, post_sampling_probs=True, top_k=0, top_p=1.0, min_p=0.0
    )

    async def test() -> None:
        answer = await runner.complete(PROMPT, sampling, grammar=grammar)
        probabilities = answer.tokens[0].logprobs
        assert probabilities is not None
        texts = {runner.engine.vocab.output_bytes(each.token) for each in probabilities.top}
        assert texts == {b"x", b"y", b"z"}
        assert math.isclose(sum(math.exp(each.logprob) for each in probabilities.top), 1.0, rel_tol=1e-5)

    runner.run(test)


def test_requests_that_are_put_back_go_on_in_their_grammar(make_runner: MakeRunner) -> None:
    runner = make_runner(n_parallel=4, n_ctx=256, kv_unified=True)
    grammar = compiled(runner, LIST.replace("{3,9}", "{10}"))
    samplings = [SamplingParams(temperature=0.8, seed=seed) for seed in range(4)]

    async def test() -> None:
        requeue = CompletionRunner._preempt
        with patch.object(CompletionRunner, "_preempt", autospec=True, side_effect=requeue) as requeued:
            together = await asyncio.gather(
                *(runner.complete(PROMPT, each, n_predict=200, grammar=grammar) for each in samplings)
            )
        assert requeued.called
        for answer in together:
            assert re.fullmatch(r"\[[a-z]{2,5} = [0-9]{1,3}(,[a-z]{2,5} = [0-9]{1,3}){10}\]", answer.text)

    runner.run(test)


def test_a_bias_that_rules_out_all_that_is_allowed_fails_that_request_alone(runner: EngineRunner) -> None:
    grammar = compiled(runner, 'root ::= "x" [0-9]{3}')
    vocab = runner.engine.vocab
    banned = tuple((token, -math.inf) for token in range(vocab.n_tokens) if vocab.output_bytes(token).startswith(b"x"))

    async def test() -> None:
        bad = runner.complete(PROMPT, SamplingParams(logit_bias=banned), grammar=grammar)
        good = [runner.complete(PROMPT, grammar=grammar) for _ in range(2)]
        failed, *answers = await asyncio.gather(bad, *good, return_exceptions=True)
        assert isinstance(failed, InvalidRequest)
        assert all(isinstance(each, Completion) and re.fullmatch("x[0-9]{3}", each.text) for each in answers)

    runner.run(test)


def test_each_of_many_has_a_grammar_of_its_own(make_runner: MakeRunner) -> None:
    runner = make_runner(n_parallel=8, n_ctx=8 * 256)
    texts = [f'root ::= "{letter}" [0-9]{{{n},{n + 2}}} "{letter}"' for n, letter in enumerate("abcdefgh", 1)]

    async def test() -> None:
        answers = await asyncio.gather(
            *(runner.complete(PROMPT, SamplingParams(seed=1), grammar=compiled(runner, text)) for text in texts)
        )
        for n, (letter, answer) in enumerate(zip("abcdefgh", answers, strict=True), 1):
            assert re.fullmatch(f"{letter}[0-9]{{{n},{n + 2}}}{letter}", answer.text)

    runner.run(test)


def test_a_schema_keeps_the_order_of_its_members(runner: EngineRunner) -> None:
    names = ["zebra", "apple", "mango"]
    schema = {
        "type": "object",
        "properties": {name: {"type": "boolean"} for name in names},
        "required": names,
        "additionalProperties": False,
    }

    async def test() -> None:
        answer = await runner.complete(PROMPT, grammar=compiled(runner, json.dumps(schema), "json_schema"))
        assert list(json.loads(answer.text)) == names

    runner.run(test)
