"""The sizes of llama.cpp's buffers are read from its log, for as long as what they belong to exists."""

import gc

from models.source import BUNDLED_MODEL
from slots.llama import Context, Model, live_buffers
from slots.llama.buffers import BufferLog, sum_buffers
from slots.options import ContextOptions, ModelOptions

LINES = [
    "load_tensors:   CPU_Mapped model buffer size =    92.10 MiB",
    "load_tensors:   CPU_REPACK model buffer size =    10.00 MiB",
    "llama_context:        CPU  output buffer size =     0.19 MiB",
    "llama_kv_cache:        CPU KV buffer size =    45.00 MiB",
    "llama_kv_cache:        CPU KV buffer size =     5.00 MiB",
    "llama_memory_recurrent:        CPU RS buffer size =     1.00 MiB",
    "sched_reserve:      CUDA0 compute buffer size =    15.00 MiB",
    "llama_kv_cache: size =   45.00 MiB (  2048 cells,  30 layers,  1/1 seqs), K (f16):   22.50 MiB",
]
MEBIBYTE = 2**20


def read(lines: list[str]) -> BufferLog:
    log = BufferLog()
    for line in lines:
        log.read(line)
    return log


def test_buffers_are_added_up_by_device_and_kind() -> None:
    assert read(LINES).buffers == {
        "CPU_Mapped": {"model": round(92.10 * MEBIBYTE)},
        "CPU_REPACK": {"model": 10 * MEBIBYTE},
        "CPU": {"output": round(0.19 * MEBIBYTE), "kv_cache": 50 * MEBIBYTE, "recurrent_state": MEBIBYTE},
        "CUDA0": {"compute": 15 * MEBIBYTE},
    }


def test_those_of_several_models_and_contexts_are_added_up() -> None:
    assert sum_buffers([read(LINES[:1]), read(LINES[2:4]), read(LINES[3:4])]) == {
        "CPU_Mapped": {"model": round(92.10 * MEBIBYTE)},
        "CPU": {"output": round(0.19 * MEBIBYTE), "kv_cache": 90 * MEBIBYTE},
    }


def total(kind: str) -> int:
    return sum(n_bytes for kinds in live_buffers().values() for name, n_bytes in kinds.items() if name == kind)


def test_a_context_counts_until_it_is_closed() -> None:
    model = Model(ModelOptions(BUNDLED_MODEL), lambda _share: None)
    before = total("kv_cache")
    context = Context(model, ContextOptions(n_ctx=512, n_parallel=1))
    expected = context.n_ctx * model.info.kv_bytes_per_token
    assert abs(total("kv_cache") - before - expected) < MEBIBYTE / 50
    context.close()
    assert total("kv_cache") == before


def test_a_model_counts_until_it_is_freed() -> None:
    gc.collect()
    before = total("model")
    model = Model(ModelOptions(BUNDLED_MODEL), lambda _share: None)
    assert total("model") - before >= 0.9 * model.info.size_bytes
    del model
    gc.collect()
    assert total("model") == before
