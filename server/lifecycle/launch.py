"""Starts the server: reads the model's header, opens the port, loads the model and serves."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from models.errors import ModelError
from models.header import Header, read_header
from models.report import format_report
from models.source import ModelSource, resolve
from server.cli.configuration import Configuration
from server.lifecycle.listener import PortError, close_listeners, open_listeners
from server.lifecycle.model_loading import ModelLoader
from slots.errors import EngineError, ModelLoadError


def launch(configuration: Configuration) -> int:
    """Serves until a signal stops it. Returns the exit code; unless it is 0, one line on stderr has the reason."""
    try:
        header = _report_model(configuration.source)
        draft = _report_model(configuration.draft_source).path if configuration.draft_source else None
        settings = configuration.settings(header)
        listeners = open_listeners(settings.hosts, settings.port, reuse_port=settings.reuse_port)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _exit_at_once)
        model, options = configuration.model_options(header.path), configuration.engine_options(draft)
        loader = ModelLoader(model, configuration.context, options)
        loader.start()
        # The application and its libraries are imported while the model loads.
        from server.lifecycle.serving import serve  # noqa: PLC0415

        try:
            serve(listeners, settings, loader)
        finally:
            close_listeners(listeners, settings.hosts)
    except (ModelError, ModelLoadError, EngineError, PortError) as error:
        print(f"llama-slots: error: {error}", file=sys.stderr)
        return 1
    return 0


def _report_model(source: ModelSource) -> Header:
    """Prints what a model's header says, and returns the header."""
    header = read_header(resolve(source))
    print(format_report(header), file=sys.stderr, flush=True)
    return header


def _exit_at_once(_number: int, _frame: FrameType | None) -> NoReturn:
    """Ends the process while llama.cpp loads, which it cannot cancel, and the server does not handle signals yet."""
    os._exit(0)
