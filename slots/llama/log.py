"""llama.cpp's log: passes its lines to a logger, and keeps errors for the exceptions."""

import ctypes
import logging
from collections import deque

import llama_cpp.llama_cpp as lib

_LOG_LEVEL_ERROR = 4

_log = logging.getLogger("llama.cpp")
_recent_errors: deque[str] = deque(maxlen=4)


def last_error() -> str:
    """Returns the errors that llama.cpp logged since `forget_errors`."""
    return " / ".join(_recent_errors) or "it gave no reason"


def forget_errors() -> None:
    """Called before a call that may fail."""
    _recent_errors.clear()


def _on_log(level: int, text: bytes, _user_data: ctypes.c_void_p) -> None:
    line = text.decode("utf-8", "replace").strip()
    if not line or line == ".":
        return
    if level == _LOG_LEVEL_ERROR:
        _recent_errors.append(line)
    _log.debug(line)


_log_callback = lib.llama_log_callback(_on_log)
"""Kept alive here: llama.cpp only has a pointer to it."""
lib.llama_log_set(_log_callback, ctypes.c_void_p(0))
