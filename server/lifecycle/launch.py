"""Starts the server: reads the model's header, opens the port, loads the model and serves."""

import os
import signal
import sys
from dataclasses import replace
from types import FrameType
from typing import NoReturn

from models.errors import ModelError
from server.cli.configuration import Configuration
from server.lifecycle.listener import PortError, close_listeners, open_listeners
from server.lifecycle.memory import report_models
from server.lifecycle.model_loading import ModelLoader
from slots.errors import EngineError, ModelLoadError


def launch(configuration: Configuration) -> int:
    """Serves until a signal stops it. Returns the exit code; unless it is 0, one line on stderr has the reason."""
    try:
        report = report_models(configuration, sys.stderr)
        header, memory = report.header, report.memory
        context = configuration.context
        if memory and memory.is_reduced:
            context = replace(context, n_ctx=memory.n_ctx)
        settings = configuration.settings(header)
        listeners = open_listeners(settings.hosts, settings.port, reuse_port=settings.reuse_port)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _exit_at_once)
        model = configuration.model_options(header.path)
        options = configuration.engine_options(report.draft, report.projector)
        if memory and memory.free.devices and configuration.fit.fit and not configuration.sets("n_gpu_layers"):
            model = replace(model, n_gpu_layers=memory.n_gpu_layers)
        loader = ModelLoader(model, context, options)
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


def _exit_at_once(_number: int, _frame: FrameType | None) -> NoReturn:
    """Ends the process while llama.cpp loads, which it cannot cancel, and the server does not handle signals yet."""
    os._exit(0)
