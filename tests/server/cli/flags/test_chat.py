from dataclasses import replace
from pathlib import Path

import pytest

from server.chat.template.constants import CHATML
from server.chat.template.named import NAMED_TEMPLATES
from tests.server.chat.templates import BRACKETS
from tests.server.cli.flag_parsing import get_error, parse_flags, settings
from tests.server.headers import HEADER

TEXT_VARIABLE, FILE_VARIABLE = "LLAMA_ARG_CHAT_TEMPLATE", "LLAMA_ARG_CHAT_TEMPLATE_FILE"


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "template.jinja"
    path.write_text(BRACKETS)
    return str(path)


def test_without_a_flag_it_is_the_headers() -> None:
    assert settings().chat_template == HEADER.chat_template


def test_template_of_a_flag_is_for_chats_with_tools_as_well() -> None:
    header = replace(HEADER, tool_use_template="{{ tools }}")
    assert parse_flags().settings(header).tool_use_template == "{{ tools }}"
    assert parse_flags("--chat-template", BRACKETS).settings(header).tool_use_template is None


def test_text_of_a_template() -> None:
    assert settings("--chat-template", "{{ messages }}").chat_template == "{{ messages }}"


def test_text_without_variables_is_a_template() -> None:
    assert settings("--chat-template", "Once upon a time").chat_template == "Once upon a time"


def test_template_by_name() -> None:
    assert settings("--chat-template", "chatml").chat_template == CHATML
    assert settings("--chat-template", "llama3").chat_template == NAMED_TEMPLATES["llama3"]


def test_template_in_a_file(file: str) -> None:
    assert settings("--chat-template-file", file).chat_template == BRACKETS


def test_variables(file: str) -> None:
    assert settings(environ={TEXT_VARIABLE: "{{ messages }}"}).chat_template == "{{ messages }}"
    assert settings(environ={FILE_VARIABLE: file}).chat_template == BRACKETS


def test_flag_wins_over_the_variable_of_the_other(file: str) -> None:
    assert settings("--chat-template-file", file, environ={TEXT_VARIABLE: "chatml"}).chat_template == BRACKETS
    assert settings("--chat-template", "chatml", environ={FILE_VARIABLE: file}).chat_template == CHATML


def test_two_templates_are_refused(capsys: pytest.CaptureFixture[str], file: str) -> None:
    said = get_error(capsys, "--chat-template", "chatml", "--chat-template-file", file)
    assert said == "--chat-template and --chat-template-file: expected one of them, got both"


def test_other_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    said = get_error(capsys, "--chat-template", "llama99")
    assert said.startswith("argument --chat-template: expected a Jinja template or chatml, llama2, ")
    assert said.endswith(", solar-open, got 'llama99'; --chat-template-file takes other templates")


def test_template_that_cannot_be_read_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = get_error(capsys, "--chat-template", "{% if %}")
    assert said.startswith(
        "argument --chat-template: expected a Jinja template, got one that cannot be read: line 1: Expec"
    )
    (tmp_path / "bad").write_text("\n{{")
    said = get_error(capsys, "--chat-template-file", str(tmp_path / "bad"))
    assert said.startswith(
        "argument --chat-template-file: expected a Jinja template, got one that cannot be read: line 2: "
    )


def test_empty_template_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    said = get_error(capsys, "--chat-template-file", str(tmp_path / "empty"))
    assert said == "argument --chat-template-file: expected a Jinja template, got an empty one"


def test_file_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = get_error(capsys, "--chat-template-file", str(tmp_path / "none"))
    assert said.startswith("argument --chat-template-file: expected a file of text, but ")


def test_further_variables_of_the_template() -> None:
    assert settings("--chat-template-kwargs", '{"enable_thinking": false}').chat_template_kwargs == {
        "enable_thinking": False
    }


@pytest.mark.parametrize("text", ["", "[]", "{", "enable_thinking=false"])
def test_further_variables_have_to_be_an_object(capsys: pytest.CaptureFixture[str], text: str) -> None:
    said = get_error(capsys, "--chat-template-kwargs", text)
    assert said == (
        f'argument --chat-template-kwargs: expected a JSON object such as {{"enable_thinking": false}}, got {text!r}'
    )


def test_further_variables_cannot_be_what_a_request_has_itself(capsys: pytest.CaptureFixture[str]) -> None:
    said = get_error(capsys, "--chat-template-kwargs", '{"messages": []}')
    assert said == "argument --chat-template-kwargs: expected other variables, since requests have messages themselves"
