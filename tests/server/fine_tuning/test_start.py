"""When a server with fine-tunes is ready."""

import asyncio
from pathlib import Path

import pytest

from models.source import BUNDLED_MODEL
from server.fine_tuning import serving
from server.fine_tuning.service import FineTuning
from server.lifecycle.model_loading import ModelLoader
from server.lifecycle.serving import load
from server.settings import FineTuneSettings, Settings
from server.state import ServerState
from slots.engine import Engine
from slots.options import ContextOptions, EngineOptions, ModelOptions


class Loader(ModelLoader):
    """Remembers its engine."""

    def __init__(self) -> None:
        super().__init__(ModelOptions(BUNDLED_MODEL), ContextOptions(n_ctx=64, n_parallel=1), EngineOptions())

    async def load(self) -> Engine:
        self.engine = await super().load()
        return self.engine


@pytest.fixture
def state(tmp_path: Path) -> ServerState:
    return ServerState(Settings(BUNDLED_MODEL, "bundled", fine_tune=FineTuneSettings(tmp_path / "fine-tunes")))


def test_no_request_is_taken_before_the_fine_tuned_models_are_there(
    state: ServerState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before that, the base model would answer for them, and /v1/files say that there is no folder."""
    seen: list[Engine | None] = []

    async def load_adapters(_: FineTuning, __: Engine) -> None:
        seen.append(state.engine)

    async def run() -> None:
        await load(state, Loader())
        assert state.engine and state.fine_tuning
        state.engine.stop()
        state.fine_tuning.store.close()

    monkeypatch.setattr(serving, "load_adapters", load_adapters)
    asyncio.run(run())
    assert seen == [None]


def test_an_engine_without_its_fine_tunes_is_stopped(state: ServerState, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = Loader()

    async def load_adapters(_: FineTuning, __: Engine) -> None:
        raise RuntimeError("the disk is gone")

    monkeypatch.setattr(serving, "load_adapters", load_adapters)
    with pytest.raises(RuntimeError, match="the disk is gone"):
        asyncio.run(load(state, loader))
    assert state.engine is None
    assert loader.engine.health().condition != "ok"
