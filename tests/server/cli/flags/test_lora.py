"""Flags of LoRA adapters."""

from pathlib import Path

import pytest

from slots.options import EngineOptions
from tests.server.cli.flag_parsing import get_error, parse_flags, settings

A, B, C = Path("a.gguf"), Path("b.gguf"), Path("c.gguf")


@pytest.mark.parametrize(
    ("flags", "files"),
    [
        ("--lora a.gguf", ((A, 1.0),)),
        ("--lora a.gguf,b.gguf --lora c.gguf", ((A, 1.0), (B, 1.0), (C, 1.0))),
        ("--lora-scaled a.gguf:0.5,b.gguf:-2", ((A, 0.5), (B, -2.0))),
        ("--lora-scaled a.gguf:0 --lora b.gguf --lora-scaled c.gguf:1e-1", ((A, 0.0), (B, 1.0), (C, 0.1))),
        ("--lora-scaled d:/a.gguf:2", ((Path("d:/a.gguf"), 2.0),)),
    ],
)
def test_files_are_numbered_in_the_order_of_the_flags(flags: str, files: tuple[tuple[Path, float], ...]) -> None:
    assert parse_flags(*flags.split()).engine == EngineOptions(lora=files)


def test_a_path_may_have_a_comma_in_quotes() -> None:
    assert parse_flags("--lora", '"one, two.gguf",b.gguf').engine.lora == ((Path("one, two.gguf"), 1.0), (B, 1.0))


def test_adapters_may_be_loaded_without_applying_them() -> None:
    options = EngineOptions(lora=((A, 1.0),), lora_init_without_apply=True)
    assert parse_flags("--lora", "a.gguf", "--lora-init-without-apply").engine == options


@pytest.mark.parametrize("text", ["a.gguf", "a.gguf:", "a.gguf:big", ":1", "a.gguf:1,b.gguf", "a.gguf:nan"])
def test_a_scale_is_a_number_after_a_colon(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    error = get_error(capsys, "--lora-scaled", text)
    assert "expected FILE:SCALE, such as adapter.gguf:0.5, or several with commas between them" in error


@pytest.mark.parametrize("text", ["", "a.gguf,,b.gguf"])
def test_a_file_has_a_name(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "expected a file, got ''" in get_error(capsys, "--lora", text)


def test_requests_load_adapters_only_if_they_are_allowed_to() -> None:
    assert not settings().allow_lora_updates
    assert settings("--allow-runtime-lora-updating").allow_lora_updates
    assert settings(environ={"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "true"}).allow_lora_updates
