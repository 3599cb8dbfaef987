"""What the benchmark of memory reads from processes and logs."""

import mmap
import os
from pathlib import Path

import pytest

from benchmarks.harness.report import table_row
from benchmarks.memory.__main__ import HEADER, fill_in_sizes
from benchmarks.memory.llama_buffers import LlamaBuffers
from benchmarks.memory.process import mapped_bytes, peak_bytes, reset_peak, resident_bytes
from benchmarks.memory.server import MemoryRow, kv_cache_bytes
from models.source import BUNDLED_MODEL
from slots.llama import Model
from slots.options import ModelOptions

MIB = 2**20
LOG = """
12:46:32 debug: llama.cpp: load_tensors:   CPU_Mapped model buffer size =    41.00 MiB
load_tensors:   CPU_REPACK model buffer size =     6.50 MiB
load_tensors:        CUDA0 model buffer size =  4000.00 MiB
0.00.1 I llama_context:        CPU  output buffer size =     0.50 MiB
llama_kv_cache:        CPU KV buffer size =    64.00 MiB
llama_kv_cache:      CUDA0 KV buffer size =   512.00 MiB
sched_reserve:        CPU compute buffer size =   297.75 MiB
sched_reserve:  CUDA_Host compute buffer size =     2.25 MiB
"""


def test_buffers_in_host_memory_are_read_from_the_log_and_mapped_weights_are_not_among_the_copied() -> None:
    assert LlamaBuffers.from_log(LOG) == LlamaBuffers(int(6.5 * MIB), 64 * MIB, 300 * MIB, MIB // 2)


def test_a_log_without_buffers_says_nothing() -> None:
    assert LlamaBuffers.from_log("main: model loaded\n") is None


def test_pages_of_a_mapped_file_are_counted_once_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(bytes(4 * MIB))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        assert sum(data[offset] for offset in range(0, len(data), 4096)) == 0
        assert mapped_bytes(os.getpid(), path) == 4 * MIB
    assert mapped_bytes(os.getpid(), path) == 0


def test_a_peak_is_remembered_until_it_is_forgotten() -> None:
    pid = os.getpid()
    with mmap.mmap(-1, 64 * MIB) as block:
        block.write(b"x" * (64 * MIB))
        at_peak = resident_bytes(pid)
    assert peak_bytes(pid) > at_peak - 4 * MIB
    reset_peak(pid)
    assert peak_bytes(pid) < at_peak - 32 * MIB


def test_the_kv_cache_is_as_large_as_llama_cpp_makes_it() -> None:
    info = Model(ModelOptions(BUNDLED_MODEL), lambda _share: None).info
    assert kv_cache_bytes(BUNDLED_MODEL, 512) == 512 * info.kv_bytes_per_token


def test_a_command_gets_the_slots_and_the_tokens_of_all_of_them() -> None:
    assert fill_in_sizes(["s", "-np={slots}", "{tokens}"], 64, 1024) == ["s", "-np=64", "65536"]


@pytest.mark.parametrize("output", [None, 3 * MIB])
def test_what_is_beside_the_weights_includes_the_kv_cache(output: int | None) -> None:
    row = MemoryRow("ours", 64, "at rest", 100 * MIB, 40 * MIB, 20 * MIB, output, None)
    assert row.beside_weights == 60 * MIB
    assert table_row(row.cells).startswith("| ours | 64 | at rest | 100.0 | 40.0 | 60.0 | 20.0 |")
    assert len(row.cells) == len(HEADER)
