"""The files that are collected for the machine with the GPU, and the table of its results."""

import io
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from benchmarks.gpu.measure import Comparison, speed_table
from benchmarks.gpu.prepare import is_needed, requirements, write_source

LONG = f"vendor/llama.cpp/ggml/src/ggml-cuda/template-instances/{'n' * 90}.cu"
"""Longer than the names in the plain header of a tar file."""


@pytest.mark.parametrize(
    "path",
    [
        "llama_cpp/llama_cpp.py",
        "vendor/llama.cpp/CMakeLists.txt",
        "vendor/llama.cpp/ggml/src/ggml.c",
        "vendor/llama.cpp/ggml/src/ggml-cpu/ops.cpp",
        "vendor/llama.cpp/ggml/src/ggml-backend.cpp",
        "vendor/llama.cpp/scripts/ui-assets.cmake",
        "vendor/llama.cpp/tools/server/main.cpp",
        "vendor/llama.cpp/tools/ui/CMakeLists.txt",
        "vendor/llama.cpp/tools/ui/ui.h.in",
        LONG,
    ],
)
def test_what_is_built_travels(path: str) -> None:
    assert is_needed(PurePosixPath(path))


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "examples/server/server.py",
        "vendor/llama.cpp/tests/test-sampling.cpp",
        "vendor/llama.cpp/docs/build.md",
        "vendor/llama.cpp/models/ggml-vocab-qwen2.gguf",
        "vendor/llama.cpp/ggml/src/ggml-vulkan/ggml-vulkan.cpp",
        "vendor/llama.cpp/scripts/sync-ggml.sh",
        "vendor/llama.cpp/tools/ui/package.json",
        "vendor/llama.cpp/tools/mtmd/test-1.jpeg",
    ],
)
def test_what_is_not_built_stays(path: str) -> None:
    assert not is_needed(PurePosixPath(path))


def test_files_lose_the_folder_around_them_also_where_their_names_are_long(tmp_path: Path) -> None:
    distribution, kept = tmp_path / "distribution.tar.gz", tmp_path / "kept.tar.gz"
    with tarfile.open(distribution, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for path in (LONG, "llama_cpp/__init__.py", "README.md"):
            member = tarfile.TarInfo(f"llama_cpp_python-1.0/{path}")
            member.size = len(path)
            archive.addfile(member, io.BytesIO(path.encode()))
    write_source(distribution, kept)
    with tarfile.open(kept) as archive:
        assert archive.getnames() == [LONG, "llama_cpp/__init__.py"]
        file = archive.extractfile(LONG)
        assert file is not None and file.read() == LONG.encode()


def test_the_packages_of_our_server_travel_and_the_bindings_are_built_there() -> None:
    names = {needed.split("=")[0] for needed in requirements()}
    assert {"numpy", "uvicorn", "llguidance", "requests"} <= names
    assert "llama-cpp-python" not in names


def test_both_servers_get_as_many_slots_as_there_are_clients_at_most() -> None:
    comparison = Comparison(Path("7b.gguf"), "GPU", Path("results"))
    command = comparison.command(Path("llama-server"), 1024, [1, 64], ["--rounds", "1"])
    assert command[command.index("--parallel") + 1] == "64"
    peer = command[command.index("--peer") + 1]
    assert "--parallel 64 --ctx-size 65536 --backend-sampling" in peer
    assert "--flags=--backend-sampling" in command


def test_speeds_of_both_places_stand_side_by_side() -> None:
    cpu = {"1 client": {"ours": 100.0, "llama-server": 90.0, "bare loop": 120.0}}
    gpu = {"1 client": {"ours": 1300.0, "llama-server": 80.0}}
    head, _line, row = speed_table({"CPU": cpu, "GPU": gpu}).splitlines()
    assert row == "| 1 client | 100 | 90 | 120 | 1,300 | 80 |  |"
    assert head.count("|") == row.count("|")
