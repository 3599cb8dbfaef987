import asyncio
import json
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.lifecycle.logs import LineFormatter, LogFileError, set_up_logging
from server.settings import LogSettings


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    for name in ("llama.cpp", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def line(name: str, level: int, message: str) -> str:
    return LineFormatter().format(logging.LogRecord(name, level, "", 0, message, None, None))


def test_information_is_the_time_and_words() -> None:
    assert re.fullmatch(r"\d\d:\d\d:\d\d Ready", line("server", logging.INFO, "Ready"))


def test_what_is_no_information_has_its_level() -> None:
    assert line("server", logging.WARNING, "Careful").endswith(" warning: Careful")
    assert line("slots", logging.DEBUG, "Step").endswith(" debug: Step")


def test_what_llama_cpp_says_is_marked_as_its_own() -> None:
    assert line("llama.cpp", logging.DEBUG, "loaded").endswith(" debug: llama.cpp: loaded")


@pytest.mark.parametrize("verbose", [True, False])
def test_only_a_verbose_log_has_what_llama_cpp_says(verbose: bool, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogSettings(logging.DEBUG if verbose else logging.INFO))
    logging.getLogger("llama.cpp").error("loaded")
    assert ("loaded" in capsys.readouterr().err) is verbose


@pytest.mark.parametrize("verbose", [True, False])
def test_only_a_verbose_log_has_what_is_for_debugging(verbose: bool, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogSettings(logging.DEBUG if verbose else logging.INFO))
    logging.getLogger("slots").debug("step")
    assert ("step" in capsys.readouterr().err) is verbose


def test_errors_of_uvicorn_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogSettings())
    logging.getLogger("uvicorn.error").info("started")
    logging.getLogger("uvicorn.error").error("broken")
    said = capsys.readouterr().err
    assert "error: broken" in said
    assert "started" not in said


def test_a_request_that_the_end_cuts_off_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogSettings())
    try:
        raise asyncio.CancelledError
    except asyncio.CancelledError:
        logging.getLogger("uvicorn.error").error("Exception in ASGI application", exc_info=sys.exc_info())
    assert capsys.readouterr().err == ""


def test_json_is_one_object_on_a_line_of_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogSettings(log_json=True))
    logging.getLogger("server").warning("two\nlines")
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert said.out.count("\n") == 1
    assert said.err == ""
    assert isinstance(found.pop("time"), int)
    assert found == {"type": "log", "level": "warning", "msg": "two\nlines"}


def test_lines_begin_without_the_time_if_it_is_not_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogSettings(log_timestamps=False))
    logging.getLogger("server").info("Ready")
    assert capsys.readouterr().err == "Ready\n"


def test_a_file_gets_the_same_lines_after_those_it_has(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("earlier\n")
    set_up_logging(LogSettings(log_file=file))
    logging.getLogger("server").info("Ready")
    assert file.read_text() == "earlier\n" + capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(LogFileError, match=r"^--log-file: expected a file to write, but .* cannot be: Is a directory$"):
        set_up_logging(LogSettings(log_file=tmp_path))


def test_a_disabled_log_has_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogSettings(log_disabled=True))
    logging.getLogger("server").error("broken")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("level", [logging.ERROR, logging.WARNING])
def test_a_quiet_log_leaves_out_what_is_below_its_level(level: int, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogSettings(level))
    for name in ("server", "uvicorn.error"):
        logging.getLogger(name).log(level - 10, "below")
        logging.getLogger(name).log(level, "shown")
    said = capsys.readouterr().err
    assert "below" not in said
    assert said.count("shown") == 2
