"""Collects what the machine with the GPU needs in one folder: python -m benchmarks.gpu.prepare FOLDER --vocab FILE ...

- llama-source.tar.gz: llama.cpp and its bindings, without what the build does not need.
- wheels/: the packages of our server and its benchmarks, for that machine's Python.
- vocab.gguf and make_bench_model.py: the inputs of the models.

Run it on a machine of the same architecture, x86-64, that reaches a package registry.
"""

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

PROJECT = Path(__file__).parents[2]
BINDINGS = "llama-cpp-python"
NEEDED_BY_BINDINGS = ("diskcache", "typing_extensions")
NEEDED_BY_BENCHMARKS = ("gguf", "requests")
PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in (39, 35, 34, 31, 28, 27, 24, 17, 12, 5)]
PLATFORMS += [f"manylinux{name}_x86_64" for name in (2014, 2010, 1)]
"""pip uses a wheel for an older system only if that is listed, too."""
MAX_BYTES = 64 * 2**20

LLAMA_CPP = PurePosixPath("vendor/llama.cpp")
KEPT_FOLDERS = ("CMakeLists.txt", "LICENSE", "cmake", "common", "ggml", "include", "scripts", "src", "tools", "vendor")
"""Of llama.cpp's repository."""
BACKENDS = ("ggml-cpu", "ggml-cuda")
SCRIPT_OF_UI = "ui-assets.cmake"
STUB_OF_UI = ("CMakeLists.txt", "sources.cmake", "ui.cpp.in", "ui.h.in")
"""The files that a server without a web page is built from."""
NOT_COMPILED = (".gif", ".ico", ".jpeg", ".jpg", ".md", ".mp3", ".png", ".svg", ".wav")


def is_needed(path: PurePosixPath) -> bool:
    """Returns whether a file of the bindings' source distribution is needed to build llama.cpp's libraries and server
    for CUDA, or by the bindings at run time."""
    if path.suffix in NOT_COMPILED:
        return False
    if not path.is_relative_to(LLAMA_CPP):
        return path.parts[0] == "llama_cpp"
    first, *rest = path.relative_to(LLAMA_CPP).parts
    match first, *rest:
        case ["ggml", "src", backend, _, *_] if backend.startswith("ggml-"):
            return backend in BACKENDS
        case ["scripts", *names]:
            return names == [SCRIPT_OF_UI]
        case ["tools", "ui", *names]:
            return len(names) == 1 and names[0] in STUB_OF_UI
    return first in KEPT_FOLDERS


def write_source(distribution: Path, target: Path) -> None:
    """Writes the files that are needed, without the distribution's own folder around them."""
    with tarfile.open(distribution) as source, tarfile.open(target, "w:gz") as kept:
        for member in source:
            path = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            if member.isfile() and is_needed(path):
                # Not the member itself: long names are also in its extended header, which would win.
                file = tarfile.TarInfo(str(path))
                file.size, file.mode, file.mtime = member.size, member.mode, member.mtime
                kept.addfile(file, source.extractfile(member))


def requirements() -> Iterator[str]:
    """Yields the requirements of our server and its benchmarks, without the bindings, as pip spells them."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    yield from (needed for needed in project["dependencies"] if not needed.startswith(BINDINGS))
    yield from (*NEEDED_BY_BINDINGS, *NEEDED_BY_BENCHMARKS)


def bindings() -> str:
    """Returns the requirement of the bindings, as pip spells it."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    return next(str(needed) for needed in project["dependencies"] if needed.startswith(BINDINGS))


def download(*arguments: str | Path) -> None:
    """Runs pip download with these arguments. Raises CalledProcessError."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    subprocess.run([*pip, *map(str, arguments)], check=True)


def download_wheels(folder: Path, python: str) -> None:
    """Downloads wheels in the versions that the project is tested with."""
    platform_options = ["--only-binary=:all:", "--implementation", "cp", "--python-version", python]
    for platform in PLATFORMS:
        platform_options += ["--platform", platform]
    lock = PROJECT / "requirements.lock"
    download(*platform_options, "--constraint", lock, "--dest", folder, *requirements())


def folder_size(folder: Path) -> int:
    """Returns the bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="is made; must not be there yet")
    parser.add_argument("--vocab", type=Path, required=True, help="GGUF file with the vocabulary of the models")
    parser.add_argument("--model-maker", type=Path, required=True, help="make_bench_model.py")
    parser.add_argument("--source", type=Path, help="source distribution of the bindings (default: downloaded)")
    parser.add_argument("--python", default="3.12", help="of the other machine (default: 3.12)")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as downloads:
        if arguments.source is None:
            download("--no-deps", "--no-binary", BINDINGS, "--dest", downloads, bindings())
        source = arguments.source or next(Path(downloads).glob("*.tar.gz"))
        write_source(source, arguments.folder / "llama-source.tar.gz")
    download_wheels(arguments.folder / "wheels", arguments.python)
    shutil.copy(arguments.vocab, arguments.folder / "vocab.gguf")
    shutil.copy(arguments.model_maker, arguments.folder / "make_bench_model.py")
    n_bytes = folder_size(arguments.folder)
    print(f"{arguments.folder} has {n_bytes / 2**20:.1f} MiB")
    if n_bytes > MAX_BYTES:
        raise SystemExit(f"more than {MAX_BYTES >> 20} MiB do not travel")


if __name__ == "__main__":
    main()
