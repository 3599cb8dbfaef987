"""A copy of a model in which every number is a 32-bit float: larger and slower, but it rounds next to nothing."""

from pathlib import Path

import numpy as np
from gguf import GGUFReader, GGUFValueType, GGUFWriter
from gguf.quants import dequantize

_SKIPPED_FIELDS = ("GGUF.version", "GGUF.tensor_count", "GGUF.kv_count", "general.architecture", "general.file_type")
"""Written by the writer itself, or not true of the copy."""


def write_float32_copy(source: Path, copy: Path) -> None:
    """Writes a GGUF file with the same header and the same weights."""
    reader = GGUFReader(source)
    writer = GGUFWriter(copy, reader.fields["general.architecture"].contents())
    for field in reader.fields.values():
        if field.name not in _SKIPPED_FIELDS:
            item_type = field.types[-1] if field.types[0] is GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), field.types[0], item_type)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, dequantize(tensor.data, tensor.tensor_type).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
