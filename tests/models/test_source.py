import sys
from pathlib import Path

import pytest

from models import source as source_module
from models.errors import HubError, ModelFileError
from models.source import ModelSource, resolve


def test_without_a_wish_it_is_the_bundled_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = tmp_path / "bundled.gguf"
    bundled.touch()
    monkeypatch.setattr(source_module, "BUNDLED_MODEL", bundled)
    assert resolve(ModelSource()) == bundled


def test_a_bundled_model_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "BUNDLED_MODEL", tmp_path / "bundled.gguf")
    with pytest.raises(ModelFileError, match=r"the bundled model is not installed .*--model or --hf-repo"):
        resolve(ModelSource())


def test_a_file_is_taken_as_it_is_named() -> None:
    assert resolve(ModelSource(model_file=Path("some/model.gguf"))) == Path("some/model.gguf")


def test_the_hub_without_its_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "models.hub", raising=False)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(HubError, match=r"--hf-repo needs the package huggingface_hub: `pip install '.\[hub\]'`"):
        resolve(ModelSource(repository="user/repo"))
