"""Readers of flags that say where a model comes from and how it is loaded."""

import argparse
import csv
import re
from pathlib import Path
from urllib.parse import unquote

from server.cli.values import finite_float, int_in_range, invalid
from slots.options import MetadataValue

MAX_LAYERS = 1024
MAX_METADATA_BYTES = 127
"""Of a key or text in llama.cpp's struct."""
HUB_URL = re.compile(r"https://(?:huggingface\.co|hf\.co)/([^/]+/[^/]+)/(?:resolve|blob)/main/([^?#]+)(?:[?#].*)?")
METADATA = re.compile(r"(?P<key>[^=]{1,127})=(?P<type>int|float|bool|str):(?P<value>.*)", re.DOTALL)


def hub_url(text: str) -> tuple[str, str]:
    """Returns the repository and the file that a URL names."""
    match = HUB_URL.fullmatch(text)
    if match is None:
        expected = "a URL as in https://huggingface.co/USER/REPO/resolve/main/FILE"
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}; download another file and give --model")
    return match[1], unquote(match[2])


def tensor_overrides(text: str) -> tuple[tuple[str, str], ...]:
    """Returns the patterns of a list such as exps=CPU,attn=CUDA0, each with its buffer."""
    pairs = tuple(part.partition("=") for part in text.split(","))
    if not all(pattern and buffer for pattern, _, buffer in pairs):
        raise invalid("PATTERN=BUFFER, such as exps=CPU, or several with commas between them", text)
    return tuple((pattern, buffer) for pattern, _, buffer in pairs)


def lora_files(text: str) -> tuple[tuple[Path, float], ...]:
    """Returns the paths of a list, each with a scale of 1; a path with a comma in it stands in double quotes."""
    return tuple((_path(item, "a file"), 1.0) for item in _items(text))


def scaled_lora_files(text: str) -> tuple[tuple[Path, float], ...]:
    """Returns the paths of a list such as a.gguf:0.5,b.gguf:2, each with its scale."""
    return tuple(_scaled_file(item) for item in _items(text))


def _scaled_file(text: str) -> tuple[Path, float]:
    expected = "FILE:SCALE, such as adapter.gguf:0.5, or several with commas between them"
    file, separator, scale = text.rpartition(":")
    if not separator:
        raise invalid(expected, text)
    try:
        return _path(file, expected), finite_float(scale)
    except argparse.ArgumentTypeError:
        raise invalid(expected, text) from None


def _path(text: str, expected: str) -> Path:
    if not text:
        raise invalid(expected, text)
    return Path(text)


def _items(text: str) -> list[str]:
    """Returns the items of a list with commas between them; an item with a comma in it stands in double quotes."""
    return next(csv.reader([text]), []) or [""]


def metadata_overrides(text: str) -> tuple[tuple[str, MetadataValue], ...]:
    """Returns the keys and values of a list; an item with a comma in it stands in double quotes."""
    return tuple(_metadata_override(item) for row in csv.reader([text]) for item in row)


def _metadata_override(text: str) -> tuple[str, MetadataValue]:
    expected = "KEY=TYPE:VALUE with a TYPE of int, float, bool or str, such as tokenizer.ggml.add_bos_token=bool:false"
    match = METADATA.fullmatch(text)
    if match is None or len(match["key"].encode()) > MAX_METADATA_BYTES:
        raise invalid(expected, text)
    value = match["value"]
    match match["type"]:
        case "int":
            return match["key"], int_in_range(-(2**63), 2**63 - 1)(value)
        case "float":
            return match["key"], finite_float(value)
        case "bool" if value in ("true", "false"):
            return match["key"], value == "true"
        case "str" if len(value.encode()) <= MAX_METADATA_BYTES:
            return match["key"], value
    raise invalid(expected, text)
