"""Logging to stderr: lines with the time, the level if it is not INFO, and the message."""

import asyncio
import logging

QUIET_LOGGERS = ("uvicorn.error", "llama.cpp", "huggingface_hub", "httpx2", "httpcore2")
"""Loggers of libraries, shown from WARNING on unless the log is verbose."""


def set_up_logging(verbose: bool) -> None:
    """`verbose` shows DEBUG messages and those of QUIET_LOGGERS."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    handler.addFilter(_is_real_error)
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True)
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.NOTSET if verbose else logging.WARNING)
    # asyncio's messages below WARNING are about its own internals.
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def _is_real_error(record: logging.LogRecord) -> bool:
    """Filters out requests that are cancelled at shutdown, which uvicorn logs as errors."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, asyncio.CancelledError)


class LineFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__(datefmt="%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        origin = "llama.cpp: " if record.name == "llama.cpp" else ""
        return f"{self.formatTime(record, self.datefmt)} {level}{origin}{record.message}"
