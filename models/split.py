"""Models that are split into several files, NAME-00001-of-00003.gguf and so on."""

import re
from pathlib import Path

from models.errors import ModelFileError
from models.gguf.model_file import ModelFile, read_model_file

PART_NAME = re.compile(r"(?P<name>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)


def read_other_parts(first: ModelFile) -> list[ModelFile]:
    """Returns the files of a model after its first one; none if it is not split.

    Raises ModelFileError if `first` is not the first part, or one of the others is missing, damaged or foreign to it.
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


def _part_path(path: Path, name: re.Match[str], number: int, count: int) -> Path:
    return path.with_name(f"{name['name']}-{number:05d}-of-{count:05d}.gguf")


def _read_part(path: Path, number: int, count: int) -> ModelFile:
    if not path.exists():
        raise ModelFileError(f"part {number} of {count} of the model is missing: {path}")
    part = read_model_file(path)
    found = (part.integer("split.no") or 0) + 1, part.integer("split.count")
    if found != (number, count):
        raise ModelFileError(f"{path} is part {found[0]} of {found[1]} of a model, expected part {number} of {count}")
    return part
