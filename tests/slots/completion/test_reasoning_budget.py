"""The thoughts of an answer end exactly when their budget is spent: alone, beside others, with drafts and grammars."""

import asyncio
import json
from typing import Any

import pytest

from grammar.source import GrammarSource
from slots.requests.reasoning_budget import ReasoningBudget
from slots.requests.sampling_params import SamplingParams
from tests.slots.engine_runner import Completion, EngineRunner
from tests.slots.speculation.conftest import drafter, drafting_runner, make_drafting_runner, shared_drafter
from tests.slots.speculation.scripted_drafter import ScriptedDrafter

__all__ = ["drafter", "drafting_runner", "make_drafting_runner", "shared_drafter"]

STORY = "Once upon a time, there was a little girl"
END = "</think>"
GREEDY = SamplingParams(temperature=0.0, ignore_eos=True)
SEEDED = SamplingParams(temperature=1.0, seed=7, ignore_eos=True)
SCHEMA = '{"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}'


def budget(runner: EngineRunner, n_tokens: int, message: str = "") -> ReasoningBudget:
    closing = runner.engine.vocab.tokenize_plain(message + END, add_special=False, parse_special=True)
    return ReasoningBudget(n_tokens, b"<think>", END.encode(), tuple(closing), is_open=True)


async def think(runner: EngineRunner, n_tokens: int, sampling: SamplingParams = GREEDY, **options: Any) -> Completion:
    allowed = budget(runner, n_tokens, options.pop("message", ""))
    return await runner.complete(STORY, sampling, **{"reasoning_budget": allowed, "n_predict": 40, **options})


def assert_ends_after(completion: Completion, n_tokens: int, closing: tuple[int, ...], free: Completion) -> None:
    """The thoughts are those that come without a budget, up to their end."""
    tokens = tuple(completion.token_ids)
    assert tokens[:n_tokens] == tuple(free.token_ids[:n_tokens])
    assert tokens[n_tokens : n_tokens + len(closing)] == closing


@pytest.mark.parametrize("sampling", [GREEDY, SEEDED, SEEDED.replace(mirostat=2), GREEDY.replace(n_probs=2)])
@pytest.mark.parametrize("n_tokens", [0, 1, 13])
def test_as_many_tokens_are_thought_as_the_budget_has(
    drafting_runner: EngineRunner, sampling: SamplingParams, n_tokens: int
) -> None:
    async def test() -> None:
        free = await drafting_runner.complete(STORY, sampling, n_predict=40)
        thought = await think(drafting_runner, n_tokens, sampling)
        assert_ends_after(thought, n_tokens, budget(drafting_runner, n_tokens).closing, free)
        assert thought.text.count(END) == 1
        assert len(thought.tokens) == 40

    drafting_runner.run(test)


def test_a_message_is_put_before_the_end(drafting_runner: EngineRunner) -> None:
    async def test() -> None:
        free, thought = await asyncio.gather(think(drafting_runner, 40), think(drafting_runner, 5, message=" Stop."))
        before, _, after = thought.text.partition(f" Stop.{END}")
        assert free.text.startswith(before)
        assert before
        assert after

    drafting_runner.run(test)


@pytest.mark.parametrize("wrong_every", [0, 1, 3])
def test_drafts_make_no_difference(drafting_runner: EngineRunner, drafter: ScriptedDrafter, wrong_every: int) -> None:
    async def test() -> None:
        plain = await think(drafting_runner, 13, n_draft=0)
        free = await drafting_runner.complete(STORY, GREEDY, n_predict=60, n_draft=0)
        drafter.wrong_every = wrong_every
        drafter.texts += [drafting_runner.prompt(STORY) + tuple(each.token_ids) for each in (plain, free)]
        drafted = await think(drafting_runner, 13)
        assert drafted.token_ids == plain.token_ids
        assert drafted.finished.timings.draft_n > 0

    drafting_runner.run(test)


def test_each_request_of_several_slots_has_its_own(drafting_runner: EngineRunner) -> None:
    async def test() -> None:
        free = await drafting_runner.complete(STORY, GREEDY, n_predict=40, n_draft=0)
        budgets = (3, 20, 7, 0)
        together = await asyncio.gather(*(think(drafting_runner, n, n_draft=0) for n in budgets))
        for n_tokens, thought in zip(budgets, together, strict=True):
            assert_ends_after(thought, n_tokens, budget(drafting_runner, n_tokens).closing, free)

    drafting_runner.run(test)


def test_what_follows_matches_the_schema_of_the_answer(drafting_runner: EngineRunner) -> None:
    turn = {
        "thoughts": {"start": "<think>", "end": END, "is_open": True},
        "text": False,
        "calls": None,
        "json": 0,
        "schemas": [["the answer", SCHEMA]],
    }
    source = GrammarSource("turn", json.dumps(turn))

    async def test() -> None:
        grammar = drafting_runner.engine.grammars.compile(source)
        for n_tokens in (0, 9):
            thought = await think(drafting_runner, n_tokens, SEEDED, grammar=grammar, message=" Now.")
            thoughts, _, answer = thought.text.partition(f" Now.{END}")
            assert (
                len(drafting_runner.engine.vocab.tokenize(thoughts, add_special=False, parse_special=False)) <= n_tokens
            )
            assert json.loads(answer).keys() == {"age"}

    drafting_runner.run(test)
