from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from slots.options import EngineOptions, SpeculationOptions
from slots.speculation import Drafter
from tests.slots.engine_runner import EXACT, EngineRunner, engine_maker
from tests.slots.speculation.scripted_drafter import ScriptedDrafter, UnlimitedDraftScheduler

MakeDraftingRunner = Callable[..., EngineRunner]
DRAFTING = EngineOptions(speculation=SpeculationOptions(("ngram",)))


@pytest.fixture(scope="session")
def make_drafting_runner(float_model: Path) -> Iterator[MakeDraftingRunner]:
    """Starts engines that try whatever a drafter has: the one given, or else that of the options."""
    with engine_maker(**EXACT) as make_engine:

        def make(drafter: Drafter | None, options: EngineOptions | None = None, **context: Any) -> EngineRunner:
            with ExitStack() as patches:
                patches.enter_context(patch("slots.completion.runner.DraftScheduler", UnlimitedDraftScheduler))
                if drafter is not None:
                    patches.enter_context(patch("slots.engine.contexts.make_drafter", return_value=drafter))
                return make_engine(options or DRAFTING, path=float_model, **context)

        yield make


@pytest.fixture(scope="session")
def shared_drafter() -> ScriptedDrafter:
    return ScriptedDrafter()


@pytest.fixture(scope="session")
def drafting_runner(shared_drafter: ScriptedDrafter, make_drafting_runner: MakeDraftingRunner) -> EngineRunner:
    """An engine with four slots."""
    return make_drafting_runner(shared_drafter, n_ctx=2048)


@pytest.fixture
def drafter(shared_drafter: ScriptedDrafter) -> ScriptedDrafter:
    shared_drafter.texts.clear()
    shared_drafter.wrong_every = 0
    return shared_drafter
