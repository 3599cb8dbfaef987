"""Serving: the application on an open port, at first without an engine, then with the one that was loaded."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from starlette.applications import Starlette

from server.app import ASLEEP_ENDPOINTS, create_app
from server.chat.media_parts import KIND_NAMES
from server.chat.system_prompt import make_system_prompt
from server.chat.template.chat_format import ChatFormat
from server.generation.endpoint import compile_constraint
from server.http.request_tracking import Observer
from server.lifecycle.listener import format_urls
from server.lifecycle.model_loading import ModelLoader
from server.lifecycle.systemd import feed_watchdog, notify
from server.lifecycle.uvicorn_server import GracefulServer
from server.options.generation_options import GenerationOptions
from server.settings import Settings
from server.sleep import Sleeper
from server.state import ServerState
from slots.engine import Engine
from slots.errors import InvalidRequest

SYSTEM_PROMPT_FLAG = "argument -spf/--system-prompt-file"

logger = logging.getLogger("server")


def serve(listeners: list[socket.socket], settings: Settings, loader: ModelLoader) -> None:
    """Serves until a signal ends it.

    Raises ModelLoadError, or EngineError if the loaded model does not work with the options or an extra is missing.
    """
    with observers_of(settings) as observers:
        state = ServerState(settings, observers=observers)
        if settings.sleep_idle_seconds > 0:
            state.sleeper = Sleeper(state, settings.sleep_idle_seconds, partial(load, state, loader))
        app = create_app(state)
        server = GracefulServer(app, state)
        with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            runner.run(_serve(server, app, listeners, state, loader))


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
    server: GracefulServer, app: Starlette, listeners: list[socket.socket], state: ServerState, loader: ModelLoader
) -> None:
    serving = asyncio.create_task(server.serve(sockets=listeners))
    urls = format_urls(listeners, state.settings.scheme)
    logger.info("Listening on %s while the model loads", urls)
    try:
        await load(state, loader)
        assert state.engine
        if state.fine_tuning is not None:
            state.fine_tuning.queue.start()
        service = _describe_service(state.settings, state.engine)
        logger.info("Ready on %s: %s", urls, service)
        notify(f"READY=1\nSTATUS=Ready on {urls}: {service}")
        watchdog = asyncio.create_task(feed_watchdog(lambda: state.engine))
    except Exception:
        server.should_exit = True
        await serving
        raise
    sleeping = asyncio.create_task(state.sleeper.run(app, ASLEEP_ENDPOINTS)) if state.sleeper else None
    await serving
    watchdog.cancel()
    if sleeping:
        sleeping.cancel()


async def load(state: ServerState, loader: ModelLoader) -> None:
    """Loads the model, and puts its engine into `state` once there is everything that requests may ask for. Raises as
    `serve` does."""
    engine, settings = await loader.load(), state.settings
    _check_ranking(settings, engine)
    _check_biases(settings.defaults, engine)
    await _check_constraint(settings.defaults, engine)
    chat_format = ChatFormat(settings.chat_template, engine.vocab, settings.tool_use_template)
    engine.start(asyncio.get_running_loop())
    try:
        if not state.is_sleeping:
            state.system_prompt = make_system_prompt(SYSTEM_PROMPT_FLAG, settings.system_prompt, engine)
        await _load_fine_tunes(state, engine)
    except BaseException:
        await asyncio.to_thread(engine.stop)
        raise
    state.chat_format, state.engine = chat_format, engine


async def _load_fine_tunes(state: ServerState, engine: Engine) -> None:
    """Loads the adapters of earlier fine-tunes, if there is a folder of them."""
    if state.settings.fine_tune.fine_tune_path is None:
        return
    from server.fine_tuning.serving import load_adapters, open_fine_tuning  # noqa: PLC0415 - few servers need it

    if state.fine_tuning is None:
        state.fine_tuning = await open_fine_tuning(state.settings, engine, lambda: state.engine)
    else:  # the model wakes
        await load_adapters(state.fine_tuning, engine)


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
    takes = "".join(f" and {KIND_NAMES[kind]}" for kind in (engine.media.kinds if engine.media else ()))
    text = f", for texts{takes}" if takes else ""
    return f"{settings.alias} in {engine.n_slots} slots of {engine.n_ctx_slot:,} tokens{text}"
