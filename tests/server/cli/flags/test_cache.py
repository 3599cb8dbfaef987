"""Flags of prefix caching and context shift."""

from pathlib import Path

import pytest

from slots.options import ContextOptions, EngineOptions
from tests.server.cli.flag_parsing import get_error, parse_flags, settings


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        ("-cram 100", EngineOptions(cache_ram_mib=100)),
        ("--cache-ram -1", EngineOptions(cache_ram_mib=-1)),
        ("--cache-ram 0", EngineOptions(cache_ram_mib=0)),
        ("--context-shift", EngineOptions(context_shift=True)),
        ("--context-shift --no-context-shift", EngineOptions(context_shift=False)),
    ],
)
def test_flags_of_the_engine(flags: str, options: EngineOptions) -> None:
    assert parse_flags(*flags.split()).engine == options


def test_a_sliding_window_may_be_kept_whole() -> None:
    assert parse_flags("--swa-full").context == ContextOptions(swa_full=True)


def test_without_flags_nothing_is_kept_apart_or_shown_or_saved() -> None:
    found = settings()
    assert (found.cache_isolation, found.show_prompts, found.slot_save_path) == ("none", False, None)
    assert (found.system_prompt, found.defaults.n_cache_reuse) == ("", 0)


def test_flags_of_the_server(tmp_path: Path) -> None:
    assert settings("--cache-isolation", "session").cache_isolation == "session"
    assert settings("--cache-isolation", "key", "--api-key", "a").cache_isolation == "key"
    assert settings("--slot-save-path", str(tmp_path)).slot_save_path == tmp_path
    assert settings("--slots-prompts").show_prompts
    assert settings("--cache-reuse", "32").defaults.n_cache_reuse == 32


def test_the_system_prompt_is_the_text_of_its_file_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "system.txt"
    file.write_bytes("Du bist ein Dichter.\r\nSchön!\n".encode())
    for flag in ("-spf", "--system-prompt-file"):
        assert settings(flag, str(file)).system_prompt == "Du bist ein Dichter.\r\nSchön!\n"


@pytest.mark.parametrize(
    ("variable", "text", "options"),
    [
        ("LLAMA_ARG_CACHE_RAM", "7", EngineOptions(cache_ram_mib=7)),
        ("LLAMA_ARG_CONTEXT_SHIFT", "on", EngineOptions(context_shift=True)),
        ("LLAMA_ARG_NO_CONTEXT_SHIFT", "1", EngineOptions(context_shift=False)),
    ],
)
def test_variables_of_the_engine(variable: str, text: str, options: EngineOptions) -> None:
    assert parse_flags(environ={variable: text}).engine == options


def test_variables_of_the_context_and_of_requests() -> None:
    assert parse_flags(environ={"LLAMA_ARG_SWA_FULL": "1"}).context.swa_full
    assert settings(environ={"LLAMA_ARG_CACHE_REUSE": "64"}).defaults.n_cache_reuse == 64


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("-cram -2", "argument -cram/--cache-ram: expected a whole number from -1 to 2147483647, got '-2'"),
        ("--cache-reuse -1", "argument --cache-reuse: expected a whole number from 0 to 2147483647, got '-1'"),
        ("--cache-isolation all", "argument --cache-isolation: expected one of none, session, key, got 'all'"),
        ("--cache-isolation key", "--cache-isolation key: expected --api-key or --api-key-file with it, got none"),
        ("--slot-save-path /nowhere/at/all", "argument --slot-save-path: expected an existing folder, got "),
        ("-spf /nowhere/at/all", "argument -spf/--system-prompt-file: expected a file of text, but /nowhere/at/all "),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_flag(
    capsys: pytest.CaptureFixture[str], flags: str, message: str
) -> None:
    assert get_error(capsys, *flags.split()).startswith(message)


@pytest.mark.parametrize("text", ["a file", "a" * 300, ""])
def test_only_a_folder_can_be_saved_to(capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str) -> None:
    (tmp_path / "a file").touch()
    message = get_error(capsys, "--slot-save-path", str(tmp_path / text) if text else text)
    assert message.startswith("argument --slot-save-path: expected an existing folder, got ")


def test_a_system_prompt_is_text(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "system").write_bytes(b"\xff")
    message = get_error(capsys, "-spf", str(tmp_path / "system"))
    assert message.endswith("cannot be read: it is not UTF-8 text")


@pytest.mark.parametrize("isolation", ["session", "key"])
def test_slots_that_are_kept_apart_cannot_be_saved(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, isolation: str
) -> None:
    flags = ("--cache-isolation", isolation, "--api-key", "a", "--slot-save-path", str(tmp_path))
    expected = f"--cache-isolation and --slot-save-path: expected one of them, got {isolation} and a folder"
    assert get_error(capsys, *flags) == expected


def test_slots_that_everybody_shares_can_be_saved(tmp_path: Path) -> None:
    assert settings("--cache-isolation", "none", "--slot-save-path", str(tmp_path)).slot_save_path == tmp_path
