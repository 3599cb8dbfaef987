"""Flags that constrain the output of requests without a constraint."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grammar.source import GrammarSource
from server.options.constraint import Constraint
from tests.conftest import running_server
from tests.server.cli.flag_parsing import get_error, settings
from tests.server.http_client import complete, get, joined_text, refusal, stream
from tests.server.program import run_failing

GBNF = 'root ::= "yes" | "no"'
SCHEMA = '{"enum": ["old", "young"]}'


@pytest.fixture(scope="module")
def strict_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(tmp_path_factory.mktemp("strict"), "-j", SCHEMA) as url:
        yield url


def constraint(*flags: str) -> Constraint | None:
    return settings(*flags).defaults.constraint


@pytest.mark.parametrize(
    ("flag", "text", "source"),
    [
        ("--grammar", GBNF, GrammarSource("gbnf", GBNF)),
        ("-j", SCHEMA, GrammarSource("json_schema", SCHEMA)),
        ("--json-schema", SCHEMA, GrammarSource("json_schema", SCHEMA)),
    ],
)
def test_flag_brings_it(flag: str, text: str, source: GrammarSource) -> None:
    found = constraint(flag, text)
    assert found and found.source == source


@pytest.mark.parametrize(
    ("flag", "text", "source"),
    [
        ("--grammar-file", GBNF, GrammarSource("gbnf", GBNF)),
        ("-jf", SCHEMA, GrammarSource("json_schema", SCHEMA)),
        ("--json-schema-file", SCHEMA, GrammarSource("json_schema", SCHEMA)),
    ],
)
def test_file_brings_it(tmp_path: Path, flag: str, text: str, source: GrammarSource) -> None:
    (tmp_path / "it").write_text(text)
    found = constraint(flag, str(tmp_path / "it"))
    assert found and found.source == source


def test_without_a_flag_texts_are_free() -> None:
    assert constraint() is None


def test_last_of_several_counts() -> None:
    found = constraint("--grammar", GBNF, "-j", SCHEMA)
    assert found and found.source.kind == "json_schema"


def test_file_that_cannot_be_read_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    message = get_error(capsys, "--grammar-file", str(tmp_path / "none"))
    assert message.startswith("argument --grammar-file: expected a file of text, but ")


@pytest.mark.parametrize(
    ("flag", "text", "message"),
    [
        ("--grammar", "root ::= other", "argument --grammar: line 1, column 10: the rule 'other' is not defined"),
        ("-j", "{", "argument -j/--json-schema: the schema is not JSON: "),
    ],
)
def test_bad_one_ends_the_program_with_one_line(flag: str, text: str, message: str) -> None:
    assert run_failing(flag, text).startswith(f"llama-slots: error: {message}")


@pytest.mark.parametrize(
    ("flag", "text", "message"),
    [
        ("--grammar-file", "", "argument --grammar-file: "),
        ("-jf", '{"not": {}}', "argument -jf/--json-schema-file: the keyword"),
    ],
)
def test_bad_file_ends_the_program_with_one_line(tmp_path: Path, flag: str, text: str, message: str) -> None:
    (tmp_path / "it").write_text(text)
    assert run_failing(flag, str(tmp_path / "it")).startswith(f"llama-slots: error: {message}")


def test_request_that_says_nothing_matches_it(strict_server: str) -> None:
    assert complete(strict_server)["content"] in ('"old"', '"young"')
    assert joined_text(stream(strict_server)) in ('"old"', '"young"')


def test_null_is_the_default(strict_server: str) -> None:
    assert complete(strict_server, grammar=None, json_schema=None)["content"] in ('"old"', '"young"')


@pytest.mark.parametrize("other", [{"choice": ["red"]}, {"grammar": 'root ::= "red"'}, {"regex": "red"}])
def test_request_that_asks_for_another_matches_that(strict_server: str, other: dict[str, Any]) -> None:
    assert complete(strict_server, **other)["content"] == "red"


@pytest.mark.parametrize("none", [{"grammar": ""}, {"response_format": {"type": "text"}}])
def test_request_may_ask_for_none(strict_server: str, server: str, none: dict[str, Any]) -> None:
    assert complete(strict_server, **none)["content"] == complete(server)["content"]


def test_request_that_asks_for_two_is_refused_all_the_same(strict_server: str) -> None:
    assert refusal(strict_server, regex="a", choice=["a"]).startswith("regex and choice: ")


def test_result_and_props_tell_it(strict_server: str) -> None:
    props = get(f"{strict_server}/props").json()["default_generation_settings"]["params"]
    for options in (props, complete(strict_server)["generation_settings"]):
        assert (options["grammar"], options["json_schema"]) == ("", {"enum": ["old", "young"]})
