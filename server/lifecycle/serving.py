"""Serving: the application on an open port, at first without an engine, then with the one that was loaded."""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from server.app import create_app
from server.chat.system_prompt import make_system_prompt
from server.chat.template.chat_format import ChatFormat
from server.generation.endpoint import compile_constraint
from server.http.request_tracking import Observer
from server.lifecycle.listener import format_urls
from server.lifecycle.systemd import feed_watchdog, notify
from server.lifecycle.uvicorn_server import GracefulServer
from server.options.generation_options import GenerationOptions
from server.settings import Settings
from server.state import ServerState
from slots.engine import Engine
from slots.errors import InvalidRequest

SYSTEM_PROMPT_FLAG = "argument -spf/--system-prompt-file"

logger = logging.getLogger("server")


def serve(
    listeners: list[socket.socket], settings: Settings, loading: "Future[Engine]", on_ready: Callable[[], None]
) -> None:
    """Serves until a signal ends it. `on_ready` is called when the model is loaded.

    Raises ModelLoadError, or EngineError if the loaded model does not work with the options or an extra is missing.
    """
    with observers_of(settings) as observers:
        state = ServerState(settings, observers=observers)
        server = GracefulServer(create_app(state), state)
        with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            runner.run(_serve(server, listeners, state, loading, on_ready))


@contextmanager
def observers_of(settings: Settings) -> Iterator[tuple[Observer, ...]]:
    """Gives what sends traces, if the settings ask for them, and sends the last ones at the end. Raises InvalidRequest
    if the extra is not installed."""
    if settings.otlp_traces_endpoint is None:
        yield ()
        return
    try:
        from server.metrics.traces import otlp_traces  # noqa: PLC0415 - an extra
    except ImportError:
        expected = "expected the extra `otel`, which `pip install llama-slots[otel]` brings"
        raise InvalidRequest("argument --otlp-traces-endpoint", expected) from None
    traces = otlp_traces(settings.otlp_traces_endpoint, settings.alias)
    try:
        yield (traces.record,)
    finally:
        traces.close()


async def _serve(
    server: GracefulServer,
    listeners: list[socket.socket],
    state: ServerState,
    loading: "Future[Engine]",
    on_ready: Callable[[], None],
) -> None:
    serving = asyncio.create_task(server.serve(sockets=listeners))
    urls = format_urls(listeners, state.settings.scheme)
    logger.info("Listening on %s while the model loads", urls)
    try:
        engine = await asyncio.wrap_future(loading)
        on_ready()
        settings = state.settings
        state.chat_format = ChatFormat(settings.chat_template, engine.vocab, settings.tool_use_template)
        state.engine = engine
        _check_ranking(state.settings, engine)
        _check_biases(state.settings.defaults, state.engine)
        await _check_constraint(state.settings.defaults, state.engine)
        state.system_prompt = make_system_prompt(SYSTEM_PROMPT_FLAG, state.settings.system_prompt, state.engine)
        state.engine.start(asyncio.get_running_loop())
        if state.settings.fine_tune.fine_tune_path is not None:
            from server.fine_tuning.serving import open_fine_tuning  # noqa: PLC0415 - few servers need it

            state.fine_tuning = await open_fine_tuning(state.settings, state.engine)
        service = _describe_service(state.settings, state.engine)
        logger.info("Ready on %s: %s", urls, service)
        notify(f"READY=1\nSTATUS=Ready on {urls}: {service}")
        watchdog = asyncio.create_task(feed_watchdog(state.engine))
    except Exception:
        server.should_exit = True
        await serving
        raise
    await serving
    watchdog.cancel()


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
