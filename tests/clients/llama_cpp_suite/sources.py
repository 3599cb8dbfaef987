"""llama.cpp's tests and chat templates, taken from its sources or from llama-cpp-python's source distribution."""

import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

TESTS = PurePosixPath("tools/server/tests")
NEEDED = (TESTS, PurePosixPath("models/templates"))
"""Folders of llama.cpp. The tests find the templates by the path from one to the other."""


class SourcesError(Exception):
    """The message is one sentence that says what was expected."""


def copy_tests(sources: Path, target: Path) -> Path:
    """Copies the tests, and what they read, to the folder `target`; returns the folder of the tests. `sources` is a
    folder that holds llama.cpp, or the archive of llama-cpp-python's source distribution. Raises SourcesError."""
    shutil.rmtree(target, ignore_errors=True)
    if sources.is_dir():
        _copy_folders(_find_root(sources), target)
    elif tarfile.is_tarfile(sources):
        _extract(sources, target)
    if not (target / TESTS / "utils.py").is_file():
        raise SourcesError(f"{sources} holds no {TESTS}: expected llama.cpp's sources, or the archive that they are in")
    return target / TESTS


def _find_root(sources: Path) -> Path:
    """Returns the folder of llama.cpp, which may be within that of llama-cpp-python."""
    return next((root for root in (sources, sources / "vendor" / "llama.cpp") if (root / TESTS).is_dir()), sources)


def _copy_folders(root: Path, target: Path) -> None:
    for folder in NEEDED:
        if (root / folder).is_dir():
            shutil.copytree(root / folder, target / folder, ignore=shutil.ignore_patterns("__pycache__", "tmp"))


def _extract(archive: Path, target: Path) -> None:
    with tarfile.open(archive) as file:
        for member in file:
            path = _path_in_llama_cpp(PurePosixPath(member.name))
            if member.isfile() and any(path.is_relative_to(folder) for folder in NEEDED):
                (target / path).parent.mkdir(parents=True, exist_ok=True)
                content = file.extractfile(member)
                assert content is not None
                (target / path).write_bytes(content.read())


def _path_in_llama_cpp(path: PurePosixPath) -> PurePosixPath:
    """Returns the path within the folder llama.cpp, wherever in the archive that is."""
    return next(_suffixes(path), path)


def _suffixes(path: PurePosixPath) -> Iterator[PurePosixPath]:
    for number, part in enumerate(path.parts):
        if part.startswith("llama.cpp"):
            yield PurePosixPath(*path.parts[number + 1 :])
