"""What FlagParser shows, and the parts of argparse that it builds on."""

import argparse
import sys

import pytest

from server.cli.flags import GROUPS
from server.cli.parser import FlagParser
from tests.server.cli.flag_parsing import parse_flags

MISSING_HOOK = "Python {version} has no {hook} in argparse any more, which server/cli/parser.py overrides"


def help_text(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as caught:
        parse_flags("--help")
    assert caught.value.code == 0
    return capsys.readouterr().out


def test_help_fits_a_terminal_of_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert max(map(len, help_text(capsys, monkeypatch).splitlines())) <= 80


def test_help_shows_groups_flags_variables_and_defaults(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = " ".join(help_text(capsys, monkeypatch).split())
    for group in GROUPS:
        assert f"{group.title}:" in shown
        for flag in group.flags:
            assert flag.spelling in shown
            assert flag.variable is None or f"(env: {flag.variable})" in shown
    batch = "maximum number of tokens in one step (default: 2048) (env: LLAMA_ARG_BATCH)"
    assert f"-b, --batch-size N {batch}" in shown
    assert "'auto' or 'all' (default: all) (env: LLAMA_ARG_N_GPU_LAYERS)" in shown
    assert "(default: 1.1) (env: LLAMA_ARG_REPEAT_PENALTY)" in shown


def test_version_names_the_program_and_its_bindings(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_flags("--version")
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith("llama-slots ")
    assert ", llama-cpp-python " in shown


@pytest.mark.parametrize(
    ("owner", "hook"),
    [
        (argparse.ArgumentParser(), "_get_option_tuples"),
        (argparse.ArgumentParser(), "_negative_number_matcher"),
        (argparse.HelpFormatter("llama-slots"), "_format_action_invocation"),
        (argparse.HelpFormatter("llama-slots"), "_split_lines"),
    ],
)
def test_argparse_has_the_hooks_that_the_parser_overrides(owner: object, hook: str) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert hasattr(owner, hook), MISSING_HOOK.format(version=version, hook=f"{type(owner).__name__}.{hook}")


def test_argparse_calls_the_hooks() -> None:
    parser = FlagParser("", GROUPS, {}, "")
    assert parser.parse_args(["--presence-penalty", "-1e-1"]).presence_penalty == -0.1
    assert parser.parse_known_args(["-ng"])[1] == ["-ng"]
    assert "-np, --parallel N " in parser.format_help()


def test_underscores_are_hyphens_in_the_names_of_flags_only() -> None:
    parser = FlagParser("", GROUPS, {}, "")
    assert parser.read(["--ctx_size", "512", "--cache_type_k=q8_0", "--alias", "a_b"]) == {
        "n_ctx": 512,
        "cache_type_k": "q8_0",
        "aliases": ("a_b",),
    }
