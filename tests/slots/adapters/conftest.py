from pathlib import Path

import pytest

from benchmarks.adapters.lora_file import Lora
from slots.options import EngineOptions
from slots.requests.adapters import AdapterSet
from tests.slots.engine_runner import EngineRunner, MakeRunner

STORY = (
    "Once upon a time there was a little girl named Lily who lived in a small house near the forest. She had a dog"
    " named Max and they liked to play with a red ball in the garden every day after breakfast."
)


@pytest.fixture(scope="session")
def lora_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two adapters of random weights."""
    folder = tmp_path_factory.mktemp("lora")
    return Lora(seed=1).write(folder / "one.gguf"), Lora(seed=2).write(folder / "two.gguf")


ONE, TWO = AdapterSet.of({0: 1.0}), AdapterSet.of({1: 1.0})


@pytest.fixture(params=[True, False], ids=["unified", "streams"])
def lora_runner(request: pytest.FixtureRequest, make_runner: MakeRunner, lora_files: tuple[Path, Path]) -> EngineRunner:
    """An engine with both adapters, in both layouts of the KV cache."""
    options = EngineOptions(lora=tuple((file, 1.0) for file in lora_files), lora_init_without_apply=True)
    return make_runner(options, kv_unified=request.param, n_ctx=4096, n_parallel=4)
