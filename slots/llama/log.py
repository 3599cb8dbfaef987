"""llama.cpp's log: passes its lines to a logger, keeps errors for the exceptions, and adds up the buffers."""

import ctypes
import logging
from collections import deque

import llama_cpp.llama_cpp as lib

from slots.llama.buffers import BufferLog, Buffers, sum_buffers

_LOG_LEVEL_ERROR = 4
_LEVELS = {2: logging.INFO, 3: logging.WARNING, _LOG_LEVEL_ERROR: logging.ERROR}
"""Python's levels by ggml's; any other line is for debugging."""

_log = logging.getLogger("llama.cpp")
_recent_errors: deque[str] = deque(maxlen=4)
_buffer_logs: list[BufferLog] = []
"""Of the models and contexts that exist; the last one may still be written."""


def last_error() -> str:
    """Returns the errors that llama.cpp logged since `forget_errors`."""
    return " / ".join(_recent_errors) or "it gave no reason"


def forget_errors() -> None:
    """Called before a call that may fail."""
    _recent_errors.clear()


def record_buffers() -> BufferLog:
    """Called before a model or context is made: returns the buffers that llama.cpp reports from now on."""
    log = BufferLog()
    _buffer_logs.append(log)
    return log


def restart_recording() -> None:
    """Called if what was made is freed again, and something else made in its place."""
    _buffer_logs[-1].buffers.clear()


def forget_buffers(log: BufferLog) -> None:
    """Called when the model or context is freed."""
    _buffer_logs.remove(log)


def live_buffers() -> Buffers:
    """Returns the buffers of all models and contexts of this process."""
    return sum_buffers(list(_buffer_logs))


def _on_log(level: int, text: bytes, _user_data: ctypes.c_void_p) -> None:
    line = text.decode("utf-8", "replace").strip()
    if not line or line == ".":
        return
    if level == _LOG_LEVEL_ERROR:
        _recent_errors.append(line)
    if _buffer_logs:
        _buffer_logs[-1].read(line)
    _log.log(_LEVELS.get(level, logging.DEBUG), "%s", line)


log_callback = lib.llama_log_callback(_on_log)
"""Kept alive here: llama.cpp only has a pointer to it."""


def install_log() -> None:
    """Makes llama.cpp write its log to here."""
    lib.llama_log_set(log_callback, ctypes.c_void_p(0))


install_log()
