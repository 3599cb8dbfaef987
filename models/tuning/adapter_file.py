"""Adapter file: a LoRA adapter in GGUF format, as llama.cpp reads it."""

import os
from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np

from models.tuning.network import Pair


def write_adapter(path: Path, architecture: str, name: str, alpha: float, pairs: Mapping[str, Pair]) -> None:
    """Writes the pairs of tensors, by the model's names of the matrices that they change. The file is whole or not
    there: it is written under another name, then renamed."""
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    writer = gguf.GGUFWriter(temporary, architecture)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_name(name)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
    for tensor, (a, b) in pairs.items():
        writer.add_tensor(f"{tensor}.lora_a", np.ascontiguousarray(a, np.float32))
        writer.add_tensor(f"{tensor}.lora_b", np.ascontiguousarray(b, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    temporary.replace(path)
