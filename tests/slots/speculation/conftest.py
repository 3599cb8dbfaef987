from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from slots.engine import Engine
from slots.options import ContextOptions, EngineOptions, ModelOptions, SpeculationOptions
from slots.speculation import Drafter
from tests.slots.engine_runner import EngineRunner
from tests.slots.speculation.foretelling import ScriptedDrafter, UnlimitedDraftScheduler

MakeDraftingEngine = Callable[..., EngineRunner]
DRAFTING = EngineOptions(speculation=SpeculationOptions(("ngram",)))


@pytest.fixture(scope="session")
def make_drafting(float_model: Path) -> Iterator[MakeDraftingEngine]:
    """Starts engines that try whatever a drafter has: the one given, or else that of the options."""
    runners: list[EngineRunner] = []

    def make(drafter: Drafter | None, options: EngineOptions | None = None, **context: Any) -> EngineRunner:
        exact = {"n_threads": 1, "flash_attention": "off", "cache_type_k": "f32", "cache_type_v": "f32"}
        with ExitStack() as patches:
            patches.enter_context(patch("slots.completion.runner.DraftScheduler", UnlimitedDraftScheduler))
            if drafter is not None:
                patches.enter_context(patch("slots.engine.contexts.make_drafter", return_value=drafter))
            chosen = ContextOptions(**{**exact, **context})
            engine = Engine.load(ModelOptions(float_model), chosen, options or DRAFTING, lambda _share: None)
        runners.append(EngineRunner(engine))
        return runners[-1]

    yield make
    for runner in runners:
        runner.close()


@pytest.fixture(scope="session")
def shared_foreteller() -> ScriptedDrafter:
    return ScriptedDrafter()


@pytest.fixture(scope="session")
def shared_drafting(shared_foreteller: ScriptedDrafter, make_drafting: MakeDraftingEngine) -> EngineRunner:
    """An engine with four slots."""
    return make_drafting(shared_foreteller, n_ctx=2048)


@pytest.fixture
def foreteller(shared_foreteller: ScriptedDrafter) -> ScriptedDrafter:
    shared_foreteller.texts.clear()
    shared_foreteller.wrong_every = 0
    return shared_foreteller
