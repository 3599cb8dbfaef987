"""The command `llama-slots`, also `python -m server`."""

import logging
import os
import signal
import sys
from collections.abc import Mapping
from types import FrameType
from typing import NoReturn

# Pydantic would search all installed packages for plugins, of which none is wanted.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

# isort: split
from server.cli.configuration import read_configuration
from server.cli.defaults import DEFAULTS_OF_LLAMA_SERVER
from server.lifecycle.logs import LogFileError, set_up_logging

MIB = 1024 * 1024

logger = logging.getLogger("server")


def llama_server() -> NoReturn:
    """Runs the program under the name of llama.cpp's server, with its defaults."""
    main(DEFAULTS_OF_LLAMA_SERVER)


def main(defaults: Mapping[str, object] | None = None) -> NoReturn:
    """Runs the program and exits: 0 after a signal, 1 if the model cannot be served, 2 for invalid flags."""
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, _stop)
    if sys.argv[1:2] == ["fine-tune"]:
        from server.cli.fine_tune.command import run_command  # noqa: PLC0415 - not for a server

        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.exit(run_command(sys.argv[2:]))
    configuration = read_configuration(sys.argv[1:], os.environ, defaults)
    if configuration.list_devices:
        print_devices()
        sys.exit(0)
    try:
        set_up_logging(configuration.log)
    except LogFileError as error:
        print(f"llama-slots: error: {error}", file=sys.stderr)
        sys.exit(1)
    for notice in configuration.notices:
        logger.info("%s", notice)
    if configuration.dry_run:
        from server.lifecycle.memory import dry_run  # noqa: PLC0415 - only this needs it

        sys.exit(dry_run(configuration))
    from server.lifecycle.launch import launch  # noqa: PLC0415 - keeps llama.cpp out of --help

    code = launch(configuration)
    logging.shutdown()
    # Not sys.exit, which would wait for threads that still tokenize prompts of cancelled requests.
    os._exit(code)


def print_devices() -> None:
    """Prints the devices as llama.cpp's server does."""
    from slots.llama import find_devices  # noqa: PLC0415 - keeps llama.cpp out of --help

    print("Available devices:")
    for device in find_devices():
        total, free = device.total_bytes // MIB, device.free_bytes // MIB
        print(f"  {device.name}: {device.description} ({total} MiB, {free} MiB free)")
    if not find_devices():
        print("  (none)")


def _stop(signal_number: int, frame: FrameType | None) -> NoReturn:
    """Exits before the server handles signals itself, for example during a download."""
    sys.exit(0)


if __name__ == "__main__":
    main()
