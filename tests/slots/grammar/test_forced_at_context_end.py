"""Forced tokens at the end of the context are what choosing them one by one gives."""

import asyncio
from dataclasses import dataclass

import pytest

from grammar.matcher import CompiledGrammar
from slots.options import EngineOptions
from slots.requests.events import StopReason
from slots.requests.sampling_params import SamplingParams
from tests.slots.engine_runner import Completion, EngineRunner, MakeRunner
from tests.slots.grammar.forcing import CODE, compiled, forcing_nothing

SHIFTING = EngineOptions(context_shift=True)
N_CTX = 256
SAMPLING = SamplingParams(temperature=0.8, seed=4)
"""A seed that draws no token near the edge of its share: computed together, logits differ in their last bits."""


@dataclass(frozen=True)
class Ending:
    """A prompt near the end of the context, with forced tokens after it."""

    n_prompt: int
    n_forced: int
    n_keep: int

    async def complete(self, runner: EngineRunner) -> Completion:
        prompt = tuple(range(300, 300 + self.n_prompt))
        return await runner.complete(prompt, SAMPLING, n_predict=400, grammar=self._grammar(runner), n_keep=self.n_keep)

    def _grammar(self, runner: EngineRunner) -> CompiledGrammar:
        forced = (CODE * 20)[: self.n_forced]
        return compiled(runner, f'root ::= [a-z]{{2}} "{forced}" [a-z]{{2,6}} "."')


ALL_KEPT = Ending(252, 16, -1)
NONE_KEPT = Ending(240, 200, 0)


def assert_same(forced: Completion, chosen: Completion) -> None:
    assert forced.token_ids == chosen.token_ids
    assert forced.text == chosen.text
    assert forced.finished.reason is chosen.finished.reason
    assert forced.finished.truncated == chosen.finished.truncated
    assert forced.finished.timings.predicted_n == chosen.finished.timings.predicted_n


@pytest.mark.parametrize("ending", [ALL_KEPT, Ending(250, 60, -1), NONE_KEPT, Ending(250, 60, 0)], ids=str)
@pytest.mark.parametrize("kv_unified", [True, False])
def test_a_forced_stretch_may_go_on_behind_a_shift(make_runner: MakeRunner, kv_unified: bool, ending: Ending) -> None:
    runner = make_runner(SHIFTING, n_ctx=N_CTX, n_parallel=1, kv_unified=kv_unified)

    async def test() -> None:
        forced = await ending.complete(runner)
        with forcing_nothing():
            chosen = await ending.complete(runner)
        assert forced.finished.truncated
        assert forced.finished.reason is StopReason.EOS
        assert_same(forced, chosen)

    runner.run(test)


@pytest.mark.parametrize("ending", [ALL_KEPT, NONE_KEPT], ids=str)
def test_a_forced_stretch_behind_a_shift_leaves_the_others_alone(make_runner: MakeRunner, ending: Ending) -> None:
    runner = make_runner(SHIFTING, n_ctx=2 * N_CTX, n_parallel=2, kv_unified=False)
    endless = SamplingParams(temperature=0.0, ignore_eos=True)

    async def test() -> None:
        alongside, forced = await asyncio.gather(
            runner.complete("Once upon a time", endless, n_predict=200), ending.complete(runner)
        )
        assert len(alongside.tokens) == 200
        assert forced.finished.reason is StopReason.EOS

    runner.run(test)
