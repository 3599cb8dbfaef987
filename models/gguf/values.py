"""GGUF reader: reads the values of a file in order.

A file may be hostile: every length is compared with the size of the file before it is used, and none of them decides
how much memory is allocated.
"""

import mmap
import struct
from dataclasses import dataclass

MAX_STRING_BYTES = 2**24
MAX_STRINGS = 2**24
"""Far above any real chat template or vocabulary."""

UINT32, STRING, ARRAY, UINT64 = 4, 8, 9, 10
SCALARS = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    UINT32: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    7: struct.Struct("<?"),
    UINT64: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
"""The layout of numbers by their type."""


class MalformedError(Exception):
    """Contents that no GGUF file has. The message is a noun phrase."""


class EndOfFileError(MalformedError):
    """The file ends before what its header announces."""


@dataclass(frozen=True, slots=True)
class Array:
    """An array that was skipped: `length` elements, which start at `start` in the file."""

    element_type: int
    length: int
    start: int

    @property
    def holds_strings(self) -> bool:
        return self.element_type == STRING


Value = bool | int | float | str | Array


class GgufReader:
    """Reads little-endian values. All methods raise EndOfFileError at the end of the file."""

    def __init__(self, data: mmap.mmap, position: int = 0) -> None:
        self._data = data
        self._size = len(data)
        self.position = position

    def scalar(self, value_type: int) -> bool | int | float:
        layout = SCALARS[value_type]
        start = self.skip(layout.size)
        value: bool | int | float = layout.unpack_from(self._data, start)[0]
        return value

    def uint32(self) -> int:
        return int(self.scalar(UINT32))

    def uint64(self) -> int:
        return int(self.scalar(UINT64))

    def string(self) -> str:
        """Raises MalformedError for a string that is longer than MAX_STRING_BYTES."""
        length = self.uint64()
        start = self.skip(length)
        check_count("bytes in a string", length, MAX_STRING_BYTES)
        return self._data[start : start + length].decode(errors="replace")

    def skip(self, n_bytes: int) -> int:
        """Skips bytes; returns where they start."""
        start = self.position
        if n_bytes > self._size - start:
            raise EndOfFileError("the end of the file within the header")
        self.position = start + n_bytes
        return start

    def skip_strings(self, count: int) -> None:
        # This loop runs for each token of a vocabulary, so it has no calls and no attributes.
        data, size, position, read_length = self._data, self._size, self.position, SCALARS[UINT64].unpack_from
        for _ in range(count):
            if position + 8 > size:
                raise EndOfFileError("the end of the file within the header")
            position += 8 + read_length(data, position)[0]
        self.position = position
        self.skip(0)

    def value(self) -> Value:
        """Reads a type and a value of that type. Raises MalformedError for a type that GGUF does not have."""
        value_type = self.uint32()
        if value_type == STRING:
            return self.string()
        if value_type == ARRAY:
            return self._array()
        if value_type not in SCALARS:
            raise MalformedError(f"the value type {value_type}, which GGUF does not have")
        return self.scalar(value_type)

    def _array(self) -> Array:
        element_type = self.uint32()
        length = self.uint64()
        array = Array(element_type, length, self.position)
        if element_type == STRING:
            check_count("strings in an array", length, MAX_STRINGS)
            self.skip_strings(length)
        elif element_type in SCALARS:
            self.skip(SCALARS[element_type].size * length)
        else:
            # Arrays of arrays are refused too: llama.cpp reads none, and a hostile file could nest them without end.
            raise MalformedError(f"an array of the type {element_type}")
        return array


def check_count(what: str, count: int, maximum: int) -> None:
    """Raises MalformedError if a count exceeds its maximum."""
    if count > maximum:
        raise MalformedError(f"{count:,} {what}, of at most {maximum:,}")
