"""Tiny projectors with random weights, and models for them, made by the generators in ../shared/tools."""

import importlib.util
import runpy
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import gguf
import pytest

from models.source import BUNDLED_MODEL

TOOLS = Path(__file__).parents[4] / "shared" / "tools"
VISION_KINDS = ("janus_pro", "gemma3", "mlp", "idefics3", "qwen2vl_merger", "gemma4uv")
AUDIO_KINDS = ("gemma4ua", "ultravox")
MROPE = "mrope"
"""qwen2vl_merger on a model with M-RoPE."""
ALL_KINDS = (*VISION_KINDS, MROPE, *AUDIO_KINDS, "gemma4uv+gemma4ua")
N_EMBD = 128
"""Of the bundled model."""

_IDEFICS_TOKENS = ("<fake_token_around_image>", "<global-img>")
_CONTROL = 3

needs_tools = pytest.mark.skipif(not TOOLS.exists(), reason="the generators of projectors are not in ../shared/tools")


def projector(kind: str) -> Path:
    """Returns a projector's file for `model(kind)`. Skips the test if the generator is not there."""
    return _projector("qwen2vl_merger" if kind == MROPE else kind)


def model(kind: str) -> Path:
    """Returns a model that the projector of this kind fits."""
    if kind == MROPE:
        return _mrope_model()
    return _idefics_model() if kind == "idefics3" else BUNDLED_MODEL


@cache
def _folder() -> "TemporaryDirectory[str]":
    """Returns a folder that is removed at the end of the process."""
    return TemporaryDirectory(prefix="projectors-")


@cache
def _projector(kind: str) -> Path:
    path = Path(_folder().name) / f"{kind}.gguf"
    _generator("gen_mmproj").build(kind, N_EMBD, path)
    return path


@cache
def _mrope_model() -> Path:
    path = Path(_folder().name) / "qwen2vl-text.gguf"
    script = TOOLS / "gen_qwen2vl_text.py"
    _check(script)
    with patch.object(sys, "argv", [str(script), str(BUNDLED_MODEL), str(path)]):
        runpy.run_path(str(script), run_name="__main__")
    return path


@cache
def _idefics_model() -> Path:
    """Returns the bundled model with some tokens that this projector looks up in place of others."""
    path = Path(_folder().name) / "idefics.gguf"
    reader, writer = gguf.GGUFReader(BUNDLED_MODEL), gguf.GGUFWriter(path, "llama")
    tiles = [f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5)]
    names = [*_IDEFICS_TOKENS, *tiles]
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        value: Any = field.contents()
        if name == "tokenizer.ggml.tokens":
            value = _replace_last(value, names)
        elif name == "tokenizer.ggml.token_type":
            value = _replace_last(value, [_CONTROL] * len(names))
        is_array = field.types[0] == gguf.GGUFValueType.ARRAY
        writer.add_key_value(name, value, field.types[0], sub_type=field.types[-1] if is_array else None)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _replace_last(values: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    """Replaces values in front of the last 72, which are the special tokens."""
    end = len(values) - 72
    return [*values[: end - len(others)], *others, *values[end:]]


def _generator(name: str) -> Any:
    script = TOOLS / f"{name}.py"
    _check(script)
    spec = importlib.util.spec_from_file_location(name, script)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _check(script: Path) -> None:
    if not script.exists():
        pytest.skip(f"{script.name} is not in ../shared/tools")
