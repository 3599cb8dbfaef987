"""Which files of a repository make up the model that was asked for, by llama.cpp's rules."""

import re
from collections.abc import Iterable, Sequence

from models.errors import HubError
from models.split import PART_NAME

PREFERRED = ("Q4_K_M", "Q8_0")
COMPANIONS = ("mmproj", "imatrix", "mtp-", "eagle3-", "dflash-", "dspark-")
"""Marks of GGUF files that accompany a model and are none."""
QUANTIZATION = re.compile(r"[-.]([A-Z0-9_]+)$", re.IGNORECASE)


def choose_files(names: Sequence[str], quantization: str, file: str | None) -> list[str]:
    """Returns the names of all files of the model: of `file` if it is given, else of the first one that is packed as
    `quantization`, else (an empty one) as PREFERRED, else of the first one.

    Raises HubError, which says what there is, if there is no such file.
    """
    if file is not None:
        if file not in names:
            raise HubError(f"no file {file}, only {_listed(_gguf(names))}")
        return _all_parts(file, names)
    models = [name for name in _gguf(names) if _is_first_file(name)]
    if not models:
        raise HubError(f"no GGUF model, only {_listed(names)}")
    for wanted in (quantization,) if quantization else PREFERRED:
        for name in models:
            if _is_packed_as(wanted, name):
                return _all_parts(name, names)
    if quantization:
        raise HubError(f"no model packed as {quantization}, only {_listed(_quantizations(models))}")
    return _all_parts(models[0], names)


def _gguf(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.lower().endswith(".gguf")]


def _is_first_file(name: str) -> bool:
    file_name = name.rsplit("/", 1)[-1]
    part = PART_NAME.fullmatch(file_name)
    return not any(mark in file_name for mark in COMPANIONS) and (part is None or int(part["number"]) == 1)


def _is_packed_as(quantization: str, name: str) -> bool:
    pattern = rf"(?<![A-Za-z0-9]){re.escape(quantization)}[-./]"
    return re.search(pattern, name, re.IGNORECASE) is not None


def _all_parts(name: str, names: Sequence[str]) -> list[str]:
    part = PART_NAME.fullmatch(name)
    if part is None:
        return [name]
    count = int(part["count"])
    parts = [f"{part['name']}-{number:05d}-of-{part['count']}{name[-5:]}" for number in range(1, count + 1)]
    missing = [each for each in parts if each not in names]
    if missing:
        raise HubError(f"no file {missing[0]}, which is one of the {count} parts of the model")
    return parts


def _quantizations(names: Iterable[str]) -> list[str]:
    stems = ((part["name"] if (part := PART_NAME.fullmatch(name)) else name[:-5]) for name in names)
    return sorted({found[1].upper() if (found := QUANTIZATION.search(stem)) else stem for stem in stems})


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:20]) or "nothing"
    return shown if len(names) <= 20 else f"{shown} and {len(names) - 20} more"
