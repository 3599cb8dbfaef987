"""Starts the server: reads the model's header, opens the port, loads the model and serves."""

import asyncio
import logging
import socket
import sys

from models.errors import ModelError
from models.header import Header, read_header
from models.report import format_report
from models.source import ModelSource, resolve
from server.app import create_app
from server.chat.system_prompt import make_system_prompt
from server.chat.template.loading import load_chat_template, load_tool_format
from server.cli.configuration import Configuration
from server.generation.endpoint import compile_constraint
from server.lifecycle.listener import PortError, close_listeners, format_urls, open_listeners
from server.lifecycle.model_loading import load_in_background
from server.lifecycle.uvicorn_server import GracefulServer
from server.options.generation_options import GenerationOptions
from server.settings import Settings
from server.state import ServerState
from slots.engine import Engine
from slots.errors import EngineError, InvalidRequest, ModelLoadError
from slots.options import EngineOptions

SYSTEM_PROMPT_FLAG = "argument -spf/--system-prompt-file"

logger = logging.getLogger("server")


def launch(configuration: Configuration) -> int:
    """Serves until a signal stops it. Returns the exit code; unless it is 0, one line on stderr has the reason."""
    try:
        header = _report_model(configuration.source)
        draft = _report_model(configuration.draft_source).path if configuration.draft_source else None
        settings = configuration.settings(header)
        listeners = open_listeners(settings.hosts, settings.port, reuse_port=settings.reuse_port)
        try:
            state = ServerState(settings)
            server = GracefulServer(create_app(state), state)
            with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
                runner.run(_serve(server, listeners, state, configuration, configuration.engine_options(draft)))
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


async def _serve(
    server: GracefulServer,
    listeners: list[socket.socket],
    state: ServerState,
    configuration: Configuration,
    options: EngineOptions,
) -> None:
    """Raises ModelLoadError, or EngineError if the loaded model does not work with the options."""
    serving = asyncio.create_task(server.serve(sockets=listeners))
    urls = format_urls(listeners, state.settings.scheme)
    logger.info("Listening on %s while the model loads", urls)
    try:
        model = configuration.model_options(state.settings.model_path)
        engine = await load_in_background(model, configuration.context, options)
        state.chat_template = await asyncio.to_thread(load_chat_template, state.settings.chat_template, engine.vocab)
        state.tool_format = await asyncio.to_thread(load_tool_format, state.chat_template, engine.vocab)
        state.engine = engine
        _check_ranking(state.settings, engine)
        _check_biases(state.settings.defaults, state.engine)
        await _check_constraint(state.settings.defaults, state.engine)
        state.system_prompt = make_system_prompt(SYSTEM_PROMPT_FLAG, state.settings.system_prompt, state.engine)
        state.engine.start(asyncio.get_running_loop())
        logger.info("Ready on %s: %s", urls, _describe_service(state.settings, state.engine))
    except Exception:
        server.should_exit = True
        await serving
        raise
    await serving


def _check_ranking(settings: Settings, engine: Engine) -> None:
    if engine.pooling == "rank" and not settings.can_rank:
        # llama.cpp would return meaningless scores.
        expected = f"expected a model with a head that scores texts (tensors cls.*), {settings.model_path} has none"
        raise InvalidRequest("argument --reranking, or --pooling rank", expected)


def _check_biases(defaults: GenerationOptions, engine: Engine) -> None:
    n_tokens = engine.vocab.n_tokens
    for token, _ in defaults.logit_bias:
        if token >= n_tokens:
            expected = f"expected tokens of the model, from 0 to {n_tokens - 1}, got {token}"
            raise InvalidRequest("argument -l/--logit-bias", expected)


async def _check_constraint(defaults: GenerationOptions, engine: Engine) -> None:
    if defaults.constraint is not None:
        await asyncio.to_thread(compile_constraint, defaults.constraint, engine)


def _describe_service(settings: Settings, engine: Engine) -> str:
    if engine.n_slots == 0:
        what = "ranking" if engine.pooling == "rank" else "embeddings"
        return f"{settings.alias} for {what} of texts of up to {engine.max_embedding_tokens:,} tokens"
    return f"{settings.alias} in {engine.n_slots} slots of {engine.n_ctx_slot:,} tokens"
