"""Drafts for a model with a sliding window, whose memory can go back by a draft, though not to any position."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from slots.options import ContextOptions, EngineOptions, SpeculationOptions
from slots.requests.sampling_params import SamplingParams
from tests.slots.engine_runner import EXACT, EngineRunner, load_engine
from tests.slots.llama.tiny_models import WINDOW, write_hybrid, write_sliding_window
from tests.slots.speculation.conftest import DRAFTING
from tests.slots.speculation.scripted_drafter import ScriptedDrafter, UnlimitedDraftScheduler

ENDLESS = SamplingParams(temperature=0.0, repeat_penalty=1.0, ignore_eos=True)
PROMPTS = [tuple((17 * n + start) % 900 + 50 for n in range(3 * WINDOW)) for start in (0, 300)]
N_UBATCH = 16


@pytest.fixture(params=[False, True], ids=["streams", "pool"])
def runner(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EngineRunner]:
    """An engine with two slots, whose windows are overwritten again and again."""
    with (
        patch("slots.completion.runner.DraftScheduler", UnlimitedDraftScheduler),
        patch("slots.engine.contexts.make_drafter", return_value=ScriptedDrafter()) as made,
    ):
        sizes = {"n_ctx": 4096, "n_parallel": 2, "n_ubatch": N_UBATCH, "n_batch": 64, "kv_unified": request.param}
        context = ContextOptions(**{**EXACT, **sizes})
        runner = EngineRunner(load_engine(context, DRAFTING, write_sliding_window(tmp_path / "model.gguf")))
        runner.drafter = made.return_value  # type: ignore[attr-defined]
        yield runner
        runner.close()


def test_texts_much_longer_than_the_window_are_the_same(runner: EngineRunner) -> None:
    drafter: ScriptedDrafter = runner.drafter  # type: ignore[attr-defined]

    async def test() -> None:
        plain = [await runner.complete(prompt, ENDLESS, n_predict=500, n_draft=0) for prompt in PROMPTS]
        drafter.texts = [prompt + tuple(each.token_ids) for prompt, each in zip(PROMPTS, plain, strict=True)]
        for wrong_every in (0, 3):
            drafter.wrong_every = wrong_every
            asked = (runner.complete(prompt, ENDLESS, n_predict=500, cache_prompt=False) for prompt in PROMPTS)
            drafted = await asyncio.gather(*asked)
            assert [each.token_ids for each in drafted] == [each.token_ids for each in plain]
            assert all(each.finished.timings.draft_n_accepted > 200 for each in drafted)

    runner.run(test)


def test_a_recurrent_state_cannot_go_back_and_gets_no_drafts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    options = EngineOptions(speculation=SpeculationOptions(("ngram",)))
    engine = load_engine(ContextOptions(n_ctx=512, n_threads=1), options, write_hybrid(tmp_path / "model.gguf"))
    assert not any(status.speculates for status in engine.slot_statuses())
    assert "cannot take back a wrong guess" in caplog.text
    EngineRunner(engine).close()
