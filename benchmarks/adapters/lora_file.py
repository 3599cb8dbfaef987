"""LoRA adapters with random weights for a GGUF model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGUFReader, GGUFValueType, GGUFWriter

from models.source import BUNDLED_MODEL

CHANGED = ("attn_q", "attn_v", "ffn_down")


@dataclass(frozen=True)
class Lora:
    """What a file says, and how strong the adapter is."""

    seed: int = 0
    strength: float = 1.0
    rank: int = 4
    invocation_tokens: Sequence[int] = ()
    architecture: str | None = None
    """None stands for the model's."""
    adapter_type: str = "lora"

    def write(self, path: Path, model: Path = BUNDLED_MODEL) -> Path:
        reader, generator = GGUFReader(model), np.random.default_rng(self.seed)
        architecture = self.architecture or reader.fields["general.architecture"].contents()
        writer = GGUFWriter(path, architecture)
        writer.add_type("adapter")
        writer.add_string("adapter.type", self.adapter_type)
        writer.add_float32("adapter.lora.alpha", float(self.rank))
        writer.add_string("adapter.lora.task_name", f"task-{self.seed}")
        writer.add_string("adapter.lora.prompt_prefix", f"prefix-{self.seed}")
        if self.invocation_tokens:
            tokens = list(self.invocation_tokens)
            key, unsigned = "adapter.alora.invocation_tokens", GGUFValueType.UINT32
            writer.add_key_value(key, tokens, GGUFValueType.ARRAY, unsigned)
        for tensor in reader.tensors:
            if tensor.name.startswith("blk.") and tensor.name.split(".")[2] in CHANGED:
                n_in, n_out = map(int, tensor.shape[:2])
                a = generator.normal(0, n_in**-0.5, (self.rank, n_in))
                b = generator.normal(0, self.strength * self.rank**-0.5, (n_out, self.rank))
                writer.add_tensor(f"{tensor.name}.lora_a", a.astype(np.float32))
                writer.add_tensor(f"{tensor.name}.lora_b", b.astype(np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path
