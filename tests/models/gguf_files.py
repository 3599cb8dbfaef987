"""Small GGUF files, written by the gguf package."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from gguf import GGUFWriter

CHATML = "{% for message in messages %}<|im_start|>{{ message.role }}{% endfor %}"
TOKENS = ["<s>", "</s>", "once", "upon", "<|im_start|>", "<|im_end|>"]


def add_metadata(writer: GGUFWriter) -> None:
    """Adds the metadata of a small model."""
    writer.add_name("Tiny")
    writer.add_size_label("2K")
    writer.add_file_type(7)
    writer.add_context_length(2048)
    writer.add_embedding_length(32)
    writer.add_block_count(2)
    writer.add_head_count(4)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3, 3, 1, 1, 3, 3])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(5)
    writer.add_chat_template(CHATML)


def add_no_metadata(writer: GGUFWriter) -> None:
    """Adds nothing: the metadata has the architecture alone."""


def write_gguf(
    path: Path,
    metadata: Callable[[GGUFWriter], None] = add_metadata,
    n_tensors: int = 2,
    tensors_in_part: int = 0,
) -> Path:
    """Returns the path of the first file of a model with tensors of 32 by 32 numbers."""
    writer = GGUFWriter(path, "llama", split_max_tensors=tensors_in_part)
    metadata(writer)
    for number in range(n_tensors):
        writer.add_tensor(f"blk.{number}.weight", np.ones((32, 32), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    if tensors_in_part and n_tensors > tensors_in_part:
        return path.with_name(f"{path.stem}-00001-of-{-(-n_tensors // tensors_in_part):05d}.gguf")
    return path
