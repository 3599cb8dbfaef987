"""GGUF weights: the tensors of a model's files as float32, and the numbers of its header."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from models.gguf.model_file import part_paths


class GgufWeights:
    """Reads a tensor when it is asked for: the files are mapped."""

    def __init__(self, path: Path) -> None:
        """`path` is the only file of the model, or its first."""
        readers = [gguf.GGUFReader(part) for part in part_paths(path)]
        self._fields = readers[0].fields
        self._tensors = {tensor.name: tensor for reader in readers for tensor in reader.tensors}
        self.architecture: str = self._fields["general.architecture"].contents()

    @property
    def names(self) -> set[str]:
        """The names of all tensors."""
        return set(self._tensors)

    def value(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - of any type
        """Returns the value of a key of the architecture, such as block_count."""
        field = self._fields.get(f"{self.architecture}.{name}")
        return default if field is None else field.contents()

    def n_rows(self, name: str) -> int:
        return int(self._tensors[name].shape[1])

    def tensor(self, name: str) -> NDArray[np.float32]:
        """Returns a tensor, dequantized: a matrix as (out, in) float32."""
        tensor = self._tensors[name]
        array = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        return np.array(array, np.float32).reshape(tuple(int(length) for length in tensor.shape[::-1]))
