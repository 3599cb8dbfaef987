"""Flags of the log: what it has, where it goes and the form of its lines."""

import logging
from pathlib import Path

from server.cli.parser import Flag, Group, Switch
from server.cli.values import int_in_range

LEVELS = (logging.ERROR, logging.ERROR, logging.WARNING, logging.INFO)
"""By llama.cpp's verbosity; larger ones show everything."""
MAX_VERBOSITY = 2**31 - 1


def log_level(text: str) -> int:
    """Returns the level of Python's logging for a verbosity of llama.cpp."""
    verbosity = int_in_range(0, MAX_VERBOSITY)(text)
    return LEVELS[verbosity] if verbosity < len(LEVELS) else logging.DEBUG


LOG = Group(
    "log",
    "",
    Switch("-v, --verbose, --log-verbose", "verbose", "log every step, and the messages of llama.cpp"),
    Flag(
        "-lv, --verbosity, --log-verbosity N",
        "log_level",
        log_level,
        "log errors (1), warnings as well (2), what happens (3, the default), or every step (4 and more)",
        "LLAMA_ARG_LOG_VERBOSITY",
    ),
    Flag("--log-file FILE", "log_file", Path, "file to append the log to, as well", "LLAMA_ARG_LOG_FILE"),
    Switch(
        "--log-jsonl, --no-log-jsonl",
        "log_json",
        "log a JSON object on each line, with time in microseconds, level, msg and numbers of requests, to stdout",
        "LLAMA_ARG_LOG_JSONL",
    ),
    Switch(
        "--log-timestamps, --no-log-timestamps",
        "log_timestamps",
        "begin each line with the time",
        "LLAMA_ARG_LOG_TIMESTAMPS",
    ),
    Switch("--log-prompts", "log_prompts", "log the prompts and texts of all requests, which it otherwise never has"),
    Switch("--log-disable", "log_disabled", "log nothing"),
)
