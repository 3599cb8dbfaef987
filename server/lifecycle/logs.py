"""Log lines: the time, a level if it is not information, and words."""

import asyncio
import logging

QUIET_LOGGERS = ("uvicorn.error", "llama.cpp", "huggingface_hub", "httpx2", "httpcore2")
"""Loggers of others; what they say below a warning is for who asks for it."""


def set_up_logging(verbose: bool) -> None:
    """Sends all log lines to stderr; `verbose` shows those for debugging too, and llama.cpp's own."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    handler.addFilter(_is_real_error)
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True)
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.NOTSET if verbose else logging.WARNING)
    # asyncio's notes are about itself, at any level of detail.
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def _is_real_error(record: logging.LogRecord) -> bool:
    """A request that the end of the server cuts off is no error, but uvicorn takes it for one."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, asyncio.CancelledError)


class LineFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__(datefmt="%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        origin = "llama.cpp: " if record.name == "llama.cpp" else ""
        return f"{self.formatTime(record, self.datefmt)} {level}{origin}{record.message}"
