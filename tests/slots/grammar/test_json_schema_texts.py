"""What the bundled model writes under JSON schemas, judged by the jsonschema package."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from grammar.errors import GrammarError
from grammar.source import GrammarSource
from slots.requests.events import StopReason
from slots.requests.sampling_params import SamplingParams
from tests.slots.engine_runner import Completion, EngineRunner, engine_maker
from tests.slots.grammar.json_formats import format_checker
from tests.slots.grammar.json_schemas import REFUSED, SCHEMAS

N_SEEDS = 10
MIN_FINISHED = 8
N_PREDICT = 480
PROMPT = "Some JSON: "


@pytest.fixture(scope="module")
def runner() -> Iterator[EngineRunner]:
    with engine_maker(n_threads=1) as make:
        yield make(n_ctx=N_SEEDS * 512, n_parallel=N_SEEDS)


def source(schema: Any) -> GrammarSource:
    return GrammarSource("json_schema", json.dumps(schema))


def test_there_are_fifty_schemas() -> None:
    assert len(SCHEMAS) >= 50


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_is_finished_is_valid(runner: EngineRunner, name: str) -> None:
    schema = SCHEMAS[name]
    grammar = runner.engine.grammars.compile(source(schema))
    validator = Draft202012Validator(schema, format_checker=format_checker())

    async def write(seed: int) -> Completion:
        sampling = SamplingParams(temperature=1.0, seed=seed)
        return await runner.complete(PROMPT, sampling, n_predict=N_PREDICT, grammar=grammar)

    async def test() -> None:
        answers = await asyncio.gather(*map(write, range(N_SEEDS)))
        finished = [answer.text for answer in answers if answer.finished.reason is StopReason.EOS]
        assert len(finished) >= MIN_FINISHED
        errors = [(each, error.message) for each in finished for error in validator.iter_errors(json.loads(each))]
        assert errors == []

    runner.run(test)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_is_refused_with_the_reason(runner: EngineRunner, name: str) -> None:
    schema, reason = REFUSED[name]
    with pytest.raises(GrammarError) as caught:
        runner.engine.grammars.compile(source(schema))
    assert reason in str(caught.value)
