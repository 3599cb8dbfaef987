"""The samplers have a part that is compiled, without which the server runs, too."""

import asyncio
import logging

import pytest

from slots.requests.sampling_params import SamplingParams
from tests.slots.engine_runner import MakeRunner
from tests.slots.sampling.factories import with_compiled_part


def test_the_texts_are_the_same_without_it_and_a_warning_says_that_it_is_missing(
    make_runner: MakeRunner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def texts() -> list[str]:
        runner = make_runner(n_ctx=512, n_parallel=2)
        answers: list[str] = []

        async def test() -> None:
            requests = [runner.complete("Once upon", SamplingParams(seed=seed), n_predict=24) for seed in range(2)]
            answers.extend(completion.text for completion in await asyncio.gather(*requests))

        runner.run(test)
        return answers

    caplog.set_level(logging.WARNING, "slots")
    expected = texts()
    assert len(set(expected)) == 2
    assert caplog.records == []
    monkeypatch.setattr("slots.engine.engine.IS_COMPILED", False)
    with with_compiled_part(enabled=False):
        assert texts() == expected
    assert "the compiled part of the samplers is missing" in caplog.text
