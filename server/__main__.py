"""The command `llama-slots`, also `python -m server`."""

import logging
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

# Pydantic would search all installed packages for plugins, of which none is wanted.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

# isort: split
from server.cli.configuration import read_configuration
from server.lifecycle.logs import set_up_logging


def main() -> NoReturn:
    """Runs the program and exits: 0 after a signal, 1 if the model cannot be served, 2 for invalid flags."""
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, _stop)
    configuration = read_configuration(sys.argv[1:], os.environ)
    set_up_logging(configuration.verbose)
    from server.lifecycle.launch import launch  # noqa: PLC0415 - keeps llama.cpp out of --help

    code = launch(configuration)
    logging.shutdown()
    # Not sys.exit, which would wait for threads that still tokenize prompts of cancelled requests.
    os._exit(code)


def _stop(signal_number: int, frame: FrameType | None) -> NoReturn:
    """Exits before the server handles signals itself, for example during a download."""
    sys.exit(0)


if __name__ == "__main__":
    main()
