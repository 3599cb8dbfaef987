"""Flags of the page for people."""

from pathlib import Path

import pytest

from tests.server.cli.flag_parsing import get_error, settings


def test_the_page_is_served_unless_a_flag_or_variable_turns_it_off() -> None:
    assert settings().show_ui
    assert settings("--webui").show_ui
    assert not settings("--no-ui").show_ui
    assert not settings("--no-webui").show_ui
    assert not settings(environ={"LLAMA_ARG_UI": "off"}).show_ui
    assert not settings(environ={"LLAMA_ARG_NO_UI": ""}).show_ui


def test_its_settings_are_a_json_object_or_a_file_with_one(tmp_path: Path) -> None:
    (tmp_path / "ui.json").write_text('{"top_k": 3}')
    assert settings("--webui-config", '{"temperature": 0.5}').ui_settings == {"temperature": 0.5}
    assert settings("--ui-config-file", str(tmp_path / "ui.json")).ui_settings == {"top_k": 3}


@pytest.mark.parametrize("text", ["[1]", "{", "temperature"])
def test_other_settings_are_refused(capsys: pytest.CaptureFixture[str], text: str) -> None:
    assert 'expected a JSON object such as {"temperature": 0.5}' in get_error(capsys, "--ui-config", text)
