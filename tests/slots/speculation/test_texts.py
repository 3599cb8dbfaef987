"""What is generated is the same with drafts as without, in the middle of a draft as well."""

import asyncio
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest

from grammar.source import GrammarSource
from slots.errors import StepFailed
from slots.requests.events import StopReason
from slots.requests.sampling_params import SamplingParams
from slots.sampling import SampledToken, Sampler
from tests.slots.engine_runner import Completion, EngineRunner
from tests.slots.speculation.conftest import DRAFTING, MakeDraftingRunner
from tests.slots.speculation.scripted_drafter import ScriptedDrafter

STORY = "Once upon a time, there was a little girl"
LIST = 'root ::= "[" item ("," item){3,9} "]"\nitem ::= [a-z]{2,5} " = " [0-9]{1,3}'
FORCING = 'root ::= "Q7X9Z4J8K2W5V3Y6" [a-z]{2,6} "Q7X9Z4J8K2W5V3Y6" [a-z]{2,6} "!"'
"""Has tokens about which there is no choice."""
ENDLESS = SamplingParams(temperature=0.0, seed=7, ignore_eos=True)
ENDING = ENDLESS.replace(ignore_eos=False)
SEEDED = SamplingParams(temperature=1.0, seed=7, ignore_eos=True)


async def with_and_without(
    runner: EngineRunner, drafter: ScriptedDrafter, sampling: SamplingParams = ENDLESS, **options: Any
) -> tuple[Completion, Completion]:
    """The text of a request without drafts, and with drafts of that text."""
    options = {"n_predict": 40, "cache_prompt": False, **options}
    plain = await runner.complete(STORY, sampling, n_draft=0, **options)
    longer = plain
    if options["n_predict"] > 0:
        longer = await runner.complete(STORY, sampling, n_draft=0, **{**options, "n_predict": 60, "stop": ()})
    drafter.texts.append(runner.prompt(STORY) + tuple(token.token for token in longer.tokens))
    return plain, await runner.complete(STORY, sampling, **options)


def assert_same(one: Completion, other: Completion) -> None:
    assert [(token.token, token.text) for token in one.tokens] == [(token.token, token.text) for token in other.tokens]
    finished = [replace(each.finished, timings=one.finished.timings, slot_id=0) for each in (one, other)]
    assert finished[0] == finished[1]
    assert one.finished.timings.predicted_n == other.finished.timings.predicted_n
    assert one.finished.timings.draft_n == 0


@pytest.mark.parametrize("wrong_every", [0, 1, 3])
@pytest.mark.parametrize("sampling", [ENDLESS, SEEDED, SEEDED.replace(mirostat=2), ENDLESS.replace(dry_multiplier=1)])
def test_the_text_is_the_same(
    drafting_runner: EngineRunner, drafter: ScriptedDrafter, sampling: SamplingParams, wrong_every: int
) -> None:
    async def test() -> None:
        drafter.wrong_every = wrong_every
        plain, drafted = await with_and_without(drafting_runner, drafter, sampling)
        assert_same(plain, drafted)
        timings = drafted.finished.timings
        assert timings.draft_n > 0
        assert (timings.draft_n_accepted == timings.draft_n) == (wrong_every == 0)
        assert (timings.draft_n_accepted == 0) == (wrong_every == 1)

    drafting_runner.run(test)


def test_right_drafts_are_all_accepted_and_each_saves_a_step(
    drafting_runner: EngineRunner, drafter: ScriptedDrafter
) -> None:
    async def test() -> None:
        plain, drafted = await with_and_without(drafting_runner, drafter, n_predict=33)
        assert_same(plain, drafted)
        # The prompt gives the first token; then each step gives one and the 7 that were drafted.
        assert (drafted.finished.timings.draft_n, drafted.finished.timings.draft_n_accepted) == (28, 28)

    drafting_runner.run(test)


@pytest.mark.parametrize("n_predict", [1, 2, 5, 8, 9, 10])
def test_n_predict_ends_a_draft(drafting_runner: EngineRunner, drafter: ScriptedDrafter, n_predict: int) -> None:
    async def test() -> None:
        plain, drafted = await with_and_without(drafting_runner, drafter, n_predict=n_predict)
        assert_same(plain, drafted)
        assert len(drafted.tokens) == n_predict
        assert drafted.finished.timings.draft_n == drafted.finished.timings.draft_n_accepted

    drafting_runner.run(test)


@pytest.mark.parametrize("start", [8, 13, 18])
def test_a_stop_string_ends_a_draft(drafting_runner: EngineRunner, drafter: ScriptedDrafter, start: int) -> None:
    async def test() -> None:
        text = (await drafting_runner.complete(STORY, ENDLESS, n_draft=0, n_predict=40, cache_prompt=False)).text
        stop = (text[start : start + 5],)
        plain, drafted = await with_and_without(drafting_runner, drafter, stop=stop)
        assert_same(plain, drafted)
        assert drafted.finished.reason is StopReason.WORD
        # What is cached of it is what is true of it: the same prompt, and more, goes on from there.
        again = await drafting_runner.complete(STORY + text[: start + 20], ENDLESS, n_draft=0, n_predict=10)
        fresh = await drafting_runner.complete(
            STORY + text[: start + 20], ENDLESS, n_draft=0, n_predict=10, cache_prompt=False
        )
        assert again.text == fresh.text

    drafting_runner.run(test)


def test_an_end_of_generation_token_ends_a_draft(drafting_runner: EngineRunner, drafter: ScriptedDrafter) -> None:
    async def test() -> None:
        plain, drafted = await with_and_without(drafting_runner, drafter, ENDING, n_predict=400)
        assert plain.finished.reason is StopReason.EOS
        assert_same(plain, drafted)

    drafting_runner.run(test)


def test_the_end_of_the_context_ends_a_draft(make_drafting_runner: MakeDraftingRunner) -> None:
    drafter = ScriptedDrafter()
    runner = make_drafting_runner(drafter, n_ctx=256, n_parallel=1)

    async def test() -> None:
        plain, drafted = await with_and_without(runner, drafter, n_predict=-1)
        assert_same(plain, drafted)
        assert drafted.finished.truncated
        assert drafted.finished.timings.draft_n_accepted > 200

    runner.run(test)


@pytest.mark.parametrize("grammar_text", [LIST, FORCING])
def test_a_grammar_holds_within_a_draft(
    drafting_runner: EngineRunner, drafter: ScriptedDrafter, grammar_text: str
) -> None:
    grammar = drafting_runner.engine.grammars.compile(GrammarSource("gbnf", grammar_text))

    async def test() -> None:
        for wrong_every in (0, 3):
            drafter.wrong_every = wrong_every
            for sampling in (ENDING, SEEDED.replace(ignore_eos=False)):
                plain, drafted = await with_and_without(drafting_runner, drafter, sampling, grammar=grammar)
                assert_same(plain, drafted)
                assert drafted.finished.timings.draft_n > 0

    drafting_runner.run(test)


def test_probabilities_are_told_of_drafted_tokens(drafting_runner: EngineRunner, drafter: ScriptedDrafter) -> None:
    async def test() -> None:
        drafter.wrong_every = 5
        plain, drafted = await with_and_without(drafting_runner, drafter, ENDLESS.replace(n_probs=3))
        assert_same(plain, drafted)
        for one, other in zip(plain.tokens, drafted.tokens, strict=True):
            assert one.logprobs is not None
            assert other.logprobs is not None
            assert [top.token for top in one.logprobs.top] == [top.token for top in other.logprobs.top]
            assert one.logprobs.sampled.logprob == pytest.approx(other.logprobs.sampled.logprob, abs=1e-3)

    drafting_runner.run(test)


@pytest.mark.parametrize("kv_unified", [False, True])
def test_slots_draft_side_by_side(make_drafting_runner: MakeDraftingRunner, kv_unified: bool) -> None:
    drafter = ScriptedDrafter()
    runner = make_drafting_runner(drafter, n_ctx=1024, n_parallel=4, kv_unified=kv_unified)
    prompts = [
        "Once upon a time",
        "One day, a little girl named Lily",
        "Tom and Sam went",
        "The cat was very",
        "A bird",
    ]

    async def test() -> None:
        async def ask(number: int, **options: Any) -> Completion:
            sampling = SEEDED.replace(seed=number, temperature=number % 2)
            return await runner.complete(prompts[number], sampling, n_predict=30 + number, **options)

        plain = [await ask(number, n_draft=0) for number in range(5)]
        texts = [tuple(token.token for token in each.tokens) for each in plain]
        drafter.texts = [runner.prompt(prompts[number]) + texts[number] for number in range(5)]
        for wrong_every in (0, 4):
            drafter.wrong_every = wrong_every
            drafted = await asyncio.gather(*(ask(number, n_draft=(-1, 3)[number % 2]) for number in range(5)))
            assert [tuple(token.token for token in each.tokens) for each in drafted] == texts
            assert all(each.finished.timings.draft_n > 0 for each in drafted)

    runner.run(test)


def test_a_full_pool_leaves_less_room_for_drafts(make_drafting_runner: MakeDraftingRunner) -> None:
    drafter = ScriptedDrafter()
    runner = make_drafting_runner(drafter, n_ctx=256, n_parallel=2, kv_unified=True)

    async def test() -> None:
        one = await runner.complete((5, *range(300, 420)), ENDLESS, n_predict=100, n_draft=0)
        two = await runner.complete((5, *range(500, 540)), ENDLESS, n_predict=150, n_draft=0)
        texts = [tuple(token.token for token in each.tokens) for each in (one, two)]
        drafter.texts = [(5, *range(300, 420), *texts[0]), (5, *range(500, 540), *texts[1])]
        drafted = await asyncio.gather(
            runner.complete((5, *range(300, 420)), ENDLESS, n_predict=100),
            runner.complete((5, *range(500, 540)), ENDLESS, n_predict=150),
        )
        assert [tuple(token.token for token in each.tokens) for each in drafted] == texts

    runner.run(test)


def test_a_shifted_context_goes_on_with_drafts(make_drafting_runner: MakeDraftingRunner) -> None:
    drafter = ScriptedDrafter()
    runner = make_drafting_runner(drafter, replace(DRAFTING, context_shift=True), n_ctx=256, n_parallel=1)

    async def test() -> None:
        plain = await runner.complete(STORY, ENDLESS, n_predict=260, n_draft=0)
        drafter.texts = [runner.prompt(STORY) + tuple(token.token for token in plain.tokens)]
        drafted = await runner.complete(STORY, ENDLESS, n_predict=260, cache_prompt=False)
        assert len(drafted.tokens) == 260
        assert [token.token for token in plain.tokens[:200]] == [token.token for token in drafted.tokens[:200]]

    runner.run(test)


def test_a_row_that_fails_within_a_draft_fails_its_request_only(
    drafting_runner: EngineRunner, drafter: ScriptedDrafter
) -> None:
    async def test() -> None:
        plain, drafted = await with_and_without(drafting_runner, drafter)
        assert_same(plain, drafted)
        choose, choices = Sampler.sample, iter(range(100))

        def choose_or_fail(*arguments: Any, **options: Any) -> SampledToken:
            if next(choices) == 5:
                raise StepFailed("a row failed")
            return choose(*arguments, **options)

        general = ENDLESS.replace(n_probs=1)  # which the compiled kernel leaves to the sampler
        with patch.object(Sampler, "sample", choose_or_fail), pytest.raises(StepFailed, match="a row failed"):
            await drafting_runner.complete(STORY, general, n_predict=40, cache_prompt=False)
        again = await drafting_runner.complete(STORY, ENDLESS, n_predict=40)
        assert [token.token for token in again.tokens] == [token.token for token in plain.tokens]

    drafting_runner.run(test)
