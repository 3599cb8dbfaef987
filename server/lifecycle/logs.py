"""Logging: lines with the time, the level if it is not INFO, and the message, or JSON objects."""

import asyncio
import json
import logging
import sys
from pathlib import Path

from server.http.request_record import current_record
from server.settings import LogSettings

QUIET_LOGGERS = ("uvicorn.error", "huggingface_hub", "httpx2", "httpcore2")
"""Loggers of libraries, shown from WARNING on unless the log is verbose."""
VERBOSE_LOGGER = "llama.cpp"
"""Shown in a verbose log alone: what matters of its errors is in the messages of those that they cause."""


class LogFileError(Exception):
    """The message is one sentence that says why the log cannot be written."""


def set_up_logging(settings: LogSettings) -> None:
    """Logs to stderr, or JSON to stdout, and to a file if there is one. Raises LogFileError."""
    handlers: list[logging.Handler] = []
    if not settings.log_disabled:
        handlers.append(logging.StreamHandler(sys.stdout if settings.log_json else sys.stderr))
        if settings.log_file is not None:
            handlers.append(_open_file(settings.log_file))
    for handler in handlers:
        handler.setFormatter(JsonFormatter() if settings.log_json else LineFormatter(settings.log_timestamps))
        handler.addFilter(_is_real_error)
        handler.addFilter(_add_request_id)
    logging.basicConfig(level=settings.log_level, handlers=handlers or [logging.NullHandler()], force=True)
    for name in QUIET_LOGGERS:
        is_verbose = settings.log_level <= logging.DEBUG
        logging.getLogger(name).setLevel(logging.NOTSET if is_verbose else max(logging.WARNING, settings.log_level))
    logging.getLogger(VERBOSE_LOGGER).setLevel(
        logging.NOTSET if settings.log_level <= logging.DEBUG else logging.CRITICAL
    )
    # asyncio's messages below WARNING are about its own internals.
    logging.getLogger("asyncio").setLevel(max(logging.WARNING, settings.log_level))


def _open_file(path: Path) -> logging.Handler:
    try:
        return logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise LogFileError(f"--log-file: expected a file to write, but {path} cannot be: {error.strerror}") from None


def _is_real_error(record: logging.LogRecord) -> bool:
    """Filters out requests that are cancelled at shutdown, which uvicorn logs as errors."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, asyncio.CancelledError)


def _add_request_id(record: logging.LogRecord) -> bool:
    """Notes for which request a line is written, if it is in a task or a thread that works for one."""
    request = current_record()
    record.request_id = request.request_id if request else None
    return True


class LineFormatter(logging.Formatter):
    def __init__(self, timestamps: bool = True) -> None:
        super().__init__(datefmt="%H:%M:%S")
        self._timestamps = timestamps

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        time = f"{self.formatTime(record, self.datefmt)} " if self._timestamps else ""
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        request_id = getattr(record, "request_id", None)
        return f"{time}{level}{_message(record)}{f' [{request_id}]' if request_id else ''}"


class JsonFormatter(logging.Formatter):
    """One JSON object for each record, with the keys of llama.cpp's server, and those of requests."""

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        message = _message(record)
        if record.exc_info:
            message += "\n" + self.formatException(record.exc_info)
        line: dict[str, object] = {
            "type": "log",
            "time": int(record.created * 1_000_000),
            "level": record.levelname.lower(),
            "msg": message,
        }
        if request_id := getattr(record, "request_id", None):
            line["request_id"] = request_id
        return json.dumps(line | getattr(record, "fields", {}))


def _message(record: logging.LogRecord) -> str:
    origin = "llama.cpp: " if record.name == "llama.cpp" else ""
    return f"{origin}{record.message}"
