import asyncio
import logging
import re
import sys
from collections.abc import Iterator

import pytest

from server.lifecycle.logs import LineFormatter, set_up_logging
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
    logging.getLogger("llama.cpp").debug("loaded")
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
