"""GGUF contents: the metadata, and how far the tensors extend, without reading those.

gguf-py's reader is not used because it makes a numpy view of each string, which takes seconds for a vocabulary of 152
thousand tokens. Here arrays are skipped, and read only for the few elements that are needed.
"""

import mmap
import reprlib
from collections.abc import Collection
from dataclasses import dataclass, field
from math import prod

from models.gguf.types import TENSOR_TYPES
from models.gguf.values import Array, GgufReader, MalformedError, Value, check_count

VERSIONS = (2, 3)
DEFAULT_ALIGNMENT = 32
MAX_DIMENSIONS = 4
CLASSIFIER = "cls."
"""Prefix of the names of a classifier's tensors."""
MAX_VALUES = 2**16
MAX_TENSORS = 2**20
"""Far above any real header or model."""


@dataclass(frozen=True, slots=True)
class Tensor:
    name: str
    shape: tuple[int, ...]
    """The length of a row first."""
    type_number: int
    """The type, as ggml numbers it."""
    n_bytes: int
    """0 for a type that is newer than this program."""

    @property
    def n_elements(self) -> int:
        return prod(self.shape)


@dataclass(slots=True)
class GgufContents:
    metadata: dict[str, Value] = field(default_factory=dict)
    n_tensors: int = 0
    n_parameters: int = 0
    has_classifier: bool = False
    """Whether it has a head that scores a text."""
    tensors: list[Tensor] = field(default_factory=list)
    n_bytes: int = 0
    """The size that the file must have to hold its last tensor."""


def read_contents(data: mmap.mmap) -> GgufContents:
    """Reads a file that starts with the magic and a version of VERSIONS.

    Raises EndOfFileError if the file ends within its header, and MalformedError.
    """
    reader = GgufReader(data, position=8)
    n_tensors, n_values = reader.uint64(), reader.uint64()
    check_count("metadata values", n_values, MAX_VALUES)
    check_count("tensors", n_tensors, MAX_TENSORS)
    contents = GgufContents(n_tensors=n_tensors)
    for _ in range(n_values):
        key = reader.string()
        if key in contents.metadata:
            raise MalformedError(f"two values for {reprlib.repr(key)}")
        contents.metadata[key] = reader.value()
    data_size = 0
    for _ in range(n_tensors):
        tensor, offset = _tensor(reader)
        contents.tensors.append(tensor)
        contents.has_classifier |= tensor.name.startswith(CLASSIFIER)
        contents.n_parameters += tensor.n_elements
        data_size = max(data_size, offset + tensor.n_bytes)
    contents.n_bytes = reader.position
    if data_size > 0:
        contents.n_bytes = _aligned(reader.position, contents.metadata) + data_size
    return contents


def array_strings(data: mmap.mmap, array: Array, indices: Collection[int]) -> dict[int, str]:
    """Returns elements of an array of strings by their index, without those that do not exist."""
    strings = {}
    reader = GgufReader(data, array.start)
    next_index = 0
    for index in sorted(indices):
        if not 0 <= index < array.length:
            continue
        reader.skip_strings(index - next_index)
        strings[index] = reader.string()
        next_index = index + 1
    return strings


def array_values(data: mmap.mmap, array: Array) -> list[str] | list[bool | int | float]:
    """Returns all elements of an array."""
    reader = GgufReader(data, array.start)
    if array.holds_strings:
        return [reader.string() for _ in range(array.length)]
    return [reader.scalar(array.element_type) for _ in range(array.length)]


def array_numbers(data: mmap.mmap, array: Array, limit: int) -> tuple[bool | int | float, ...]:
    """Returns the first elements of an array of numbers, at most `limit`."""
    reader = GgufReader(data, array.start)
    return tuple(reader.scalar(array.element_type) for _ in range(min(array.length, limit)))


def _tensor(reader: GgufReader) -> tuple[Tensor, int]:
    """Returns a tensor, and where it starts within the data."""
    name = reader.string()
    n_dimensions = reader.uint32()
    check_count(f"dimensions for the tensor {reprlib.repr(name)}", n_dimensions, MAX_DIMENSIONS)
    shape = tuple(reader.uint64() for _ in range(n_dimensions))
    type_number = reader.uint32()
    tensor_type = TENSOR_TYPES.get(type_number)
    offset = reader.uint64()
    if tensor_type is None:
        # A type newer than this program: llama.cpp may know it, and only the start of the tensor is known here.
        return Tensor(name, shape, type_number, 0), offset
    n_bytes = prod(shape) // tensor_type.block_size * tensor_type.block_bytes
    return Tensor(name, shape, type_number, n_bytes), offset


def _aligned(position: int, metadata: dict[str, Value]) -> int:
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
        raise MalformedError(f"an alignment of {reprlib.repr(alignment)}, which is not a power of two")
    return -(-position // alignment) * alignment
