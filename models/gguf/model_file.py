"""Model file: one GGUF file, checked to be complete, and its metadata by key."""

import mmap
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from models.errors import ModelFileError
from models.gguf.contents import VERSIONS, GgufContents, array_numbers, array_strings, array_values, read_contents
from models.gguf.file_signatures import describe_signature
from models.gguf.values import Array, EndOfFileError, MalformedError, Value
from models.units import human_size

MAGIC = b"GGUF"
MAX_NUMBERS = 2**16
"""Of an array that has one for each layer, far above any real model."""
START_BYTES = 64
"""Enough to recognize what kind of file it is."""
PART_NAME = re.compile(r"(?P<name>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)
"""The name of one file of a split model."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    path: Path
    n_bytes: int
    contents: GgufContents

    def text(self, key: str) -> str | None:
        """The string at a key of the metadata; None if there is none."""
        value = self.contents.metadata.get(key)
        return value if isinstance(value, str) else None

    def integer(self, key: str) -> int | None:
        """The integer at a key of the metadata; None if there is none."""
        value = self.contents.metadata.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def length(self, key: str) -> int | None:
        """The length of the array at a key of the metadata; None if there is none."""
        value = self.contents.metadata.get(key)
        return value.length if isinstance(value, Array) else None

    def strings(self, key: str, indices: Collection[int]) -> dict[int, str]:
        """Returns the elements with these indices of the array of strings at a key, without those that do not exist.

        Raises ModelFileError.
        """
        value = self.contents.metadata.get(key)
        if not isinstance(value, Array) or not value.holds_strings:
            return {}
        with _readable(self.path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return array_strings(data, value, indices)

    def numbers(self, key: str, limit: int = MAX_NUMBERS) -> tuple[bool | int | float, ...]:
        """Returns the first elements of the array of numbers at a key, at most `limit`; none if there is no such array.

        Raises ModelFileError.
        """
        value = self.contents.metadata.get(key)
        if not isinstance(value, Array) or value.holds_strings:
            return ()
        with _readable(self.path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return array_numbers(data, value, limit)

    def all_values(self, max_elements: int | None = None) -> dict[str, object]:
        """Returns the whole metadata, arrays as lists; those of more than `max_elements` elements are empty.

        Raises ModelFileError.
        """
        with _readable(self.path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return {key: _plain(data, value, max_elements) for key, value in self.contents.metadata.items()}


def _plain(data: mmap.mmap, value: Value, max_elements: int | None) -> object:
    if not isinstance(value, Array):
        return value
    return array_values(data, value) if max_elements is None or value.length <= max_elements else []


def read_model_file(path: Path) -> ModelFile:
    """Reads the header. Raises ModelFileError if the file cannot be read, is not GGUF, is truncated, or is damaged."""
    with _readable(path) as file:
        _check_start(path, file.read(START_BYTES))
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            n_bytes = len(data)
            contents = read_contents(data)
    if n_bytes < contents.n_bytes:
        missing = human_size(contents.n_bytes - n_bytes)
        sizes = f"it has {human_size(n_bytes)} of {human_size(contents.n_bytes)}, {missing} are missing"
        raise ModelFileError(f"{path} is truncated: {sizes}")
    return ModelFile(path, n_bytes, contents)


def read_other_parts(first: ModelFile) -> list[ModelFile]:
    """Reads the files of a split model after its first one; returns an empty list if the model is not split.

    Raises ModelFileError if `first` is not the first part, or if another part is missing, damaged or of another model.
    """
    count = first.integer("split.count") or 1
    if count == 1:
        return []
    name = PART_NAME.fullmatch(first.path.name)
    number = (first.integer("split.no") or 0) + 1
    if number != 1:
        expected = (
            f"expected the first part, {_part_path(first.path, name, 1, count).name}" if name else "expected part 1"
        )
        raise ModelFileError(f"{first.path} is part {number} of {count} of a model, {expected}")
    if name is None or int(name["number"]) != 1 or int(name["count"]) != count:
        raise ModelFileError(
            f"{first.path} is the first of {count} parts of a model, so its name is expected to end in "
            f"-00001-of-{count:05d}.gguf"
        )
    return [_read_part(_part_path(first.path, name, number, count), number, count) for number in range(2, count + 1)]


def part_paths(path: Path) -> list[Path]:
    """Returns the files of a model that can be read; `path` is the only or the first one, and its name says which."""
    name = PART_NAME.fullmatch(path.name)
    if name is None:
        return [path]
    count = int(name["count"])
    return [part for number in range(1, count + 1) if (part := _part_path(path, name, number, count)).exists()]


@contextmanager
def _readable(path: Path) -> Iterator[BinaryIO]:
    """Opens a file; errors of it and of its contents, also in the block, are raised as ModelFileError."""
    try:
        if not path.is_file():
            raise ModelFileError(f"{path} {_other_than_file(path)}")
        with path.open("rb") as file:
            yield file
    except EndOfFileError:
        size = human_size(path.stat().st_size)
        raise ModelFileError(f"{path} is truncated: its {size} end within its header") from None
    except MalformedError as error:
        raise ModelFileError(f"{path} is damaged: its header has {error}") from None
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}") from None


def _other_than_file(path: Path) -> str:
    if not path.exists():
        return "does not exist"
    return f"is {'a directory' if path.is_dir() else 'not a regular file'}, expected a GGUF file"


def _check_start(path: Path, start: bytes) -> None:
    if not start:
        raise ModelFileError(f"{path} is empty, expected a GGUF file")
    if not start.startswith(MAGIC):
        raise ModelFileError(f"{path} is not a GGUF file; it looks like {describe_signature(start)}")
    version = start[4:8]
    little, big = int.from_bytes(version, "little"), int.from_bytes(version, "big")
    if little not in VERSIONS and big in VERSIONS:
        raise ModelFileError(f"{path} is a big-endian GGUF file, expected a little-endian one")
    if len(version) == 4 and little not in VERSIONS:
        raise ModelFileError(f"{path} has GGUF version {little}, expected {' or '.join(map(str, VERSIONS))}")


def _part_path(path: Path, name: re.Match[str], number: int, count: int) -> Path:
    return path.with_name(f"{name['name']}-{number:05d}-of-{count:05d}.gguf")


def _read_part(path: Path, number: int, count: int) -> ModelFile:
    if not path.exists():
        raise ModelFileError(f"part {number} of {count} of the model is missing: {path}")
    part = read_model_file(path)
    actual = (part.integer("split.no") or 0) + 1, part.integer("split.count")
    if actual != (number, count):
        raise ModelFileError(f"{path} is part {actual[0]} of {actual[1]} of a model, expected part {number} of {count}")
    return part
