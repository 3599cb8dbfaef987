"""Measures what one server has in memory, at rest and while all its slots generate."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.harness.llama_client import Endpoint
from benchmarks.harness.prompts import TEXT, PromptTokens
from benchmarks.harness.server_process import ServerProcess
from benchmarks.memory.llama_buffers import LlamaBuffers
from benchmarks.memory.process import mapped_bytes, peak_bytes, reset_peak, resident_bytes
from benchmarks.serve.workloads import ClosedLoop
from models.errors import ModelError
from models.gguf.model_file import read_model_file

_IDLE_SECONDS = 2.0
_MAX_SECONDS_TO_IDLE = 60.0
_IDLE_GROWTH_BYTES = 2**18
_BYTES_PER_VALUE = 2
"""Keys and values are 16-bit floats unless flags say otherwise."""
_LOG_PRECISION_BYTES = 2**20 // 50


@dataclass(frozen=True)
class MemoryRow:
    """One server at one moment; all sizes are bytes."""

    server: str
    slots: int
    moment: Literal["at rest", "busy, peak"]
    resident: int
    weights: int
    """The part that is in memory, mapped or copied."""
    kv_cache: int
    """As it was reserved."""
    output: int | None
    """llama.cpp's buffer of logits; None if its log does not report it, as with `compute`."""
    compute: int | None
    """llama.cpp's buffer to compute in, as it was reserved."""

    @property
    def beside_weights(self) -> int:
        return self.resident - self.weights

    @property
    def cells(self) -> list[str]:
        """Of a table; sizes in MiB."""
        sizes = (self.resident, self.weights, self.beside_weights, self.kv_cache, self.output, self.compute)
        return [self.server, str(self.slots), self.moment, *map(_mebibytes, sizes)]


def _mebibytes(size: int | None) -> str:
    return "" if size is None else f"{size / 2**20:,.1f}"


@dataclass(frozen=True)
class Load:
    """The requests that servers get."""

    model: Path
    n_ctx: int
    """Tokens of a slot."""
    n_prompt: int
    n_predict: int


def measure_server(name: str, command: Sequence[str], n_slots: int, load: Load, log: Path) -> list[MemoryRow]:
    """Starts a server, sends it the load, and ends it. Returns its memory at rest and at its peak.

    Raises SystemExit if it has another number of slots, or a KV cache of another size.
    """
    with ServerProcess(command, log) as process:
        endpoint = Endpoint(name, process.url)
        if endpoint.n_slots != n_slots:
            raise SystemExit(
                f"{name} has {endpoint.n_slots} slots instead of {n_slots}: put {{slots}} into its command"
            )
        wait_until_idle(process.pid)
        n_resident = resident_bytes(process.pid)
        n_mapped = mapped_bytes(process.pid, load.model)
        reset_peak(process.pid)
        prompts = PromptTokens(endpoint.tokenize(TEXT), [secrets.randbits(32)])
        ClosedLoop(n_slots, load.n_predict, load.n_prompt, n_requests=1).run(endpoint, prompts)
        n_peak = peak_bytes(process.pid)
        n_mapped_busy = mapped_bytes(process.pid, load.model)
    buffers = LlamaBuffers.from_log(log.read_text(errors="replace"))
    n_kv = kv_cache_bytes(load.model, n_slots * load.n_ctx)
    if buffers and abs(buffers.kv_cache - n_kv) > _LOG_PRECISION_BYTES:
        raise SystemExit(
            f"{name} has a KV cache of {buffers.kv_cache / 2**20:.2f} MiB, expected {n_kv / 2**20:.2f} MiB:"
            " give it slots of --ctx tokens in 16 bits, and a model all of whose layers have one"
        )
    n_copied = buffers.copied_weights if buffers else 0
    output, compute = (buffers.output, buffers.compute) if buffers else (None, None)
    return [
        MemoryRow(name, n_slots, "at rest", n_resident, n_mapped + n_copied, n_kv, output, compute),
        MemoryRow(name, n_slots, "busy, peak", n_peak, n_mapped_busy + n_copied, n_kv, output, compute),
    ]


def kv_cache_bytes(model: Path, n_cells: int) -> int:
    """Returns the size of a KV cache of 16-bit floats by the model's header: for each layer and cell, keys and values
    of all heads that have them. Raises ModelError for a header that does not give their number."""
    file = read_model_file(model)
    architecture = file.text("general.architecture")

    def number(key: str, default: int | None = None) -> int:
        value = file.integer(f"{architecture}.{key}")
        if value is None and default is None:
            raise ModelError(f"{model} does not say what its {key} is, in one number for all layers")
        return (value if value is not None else default) or 0

    n_heads = number("attention.head_count")
    n_kv_heads = number("attention.head_count_kv", n_heads)
    head_size = number("embedding_length") // n_heads
    n_per_cell = number("attention.key_length", head_size) + number("attention.value_length", head_size)
    return number("block_count") * n_cells * n_kv_heads * n_per_cell * _BYTES_PER_VALUE


def wait_until_idle(pid: int) -> None:
    """Waits until a process has not grown for `_IDLE_SECONDS`, for at most `_MAX_SECONDS_TO_IDLE`."""
    ends = time.monotonic() + _MAX_SECONDS_TO_IDLE
    before = -1
    while time.monotonic() < ends:
        now = resident_bytes(pid)
        if abs(now - before) < _IDLE_GROWTH_BYTES:
            return
        before = now
        time.sleep(_IDLE_SECONDS)
