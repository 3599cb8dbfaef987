"""Sleeper: unloads the model after some time without a request, and loads it again for the next one.

    awake --(idle)--> snapshots of what GET endpoints answer --> engine stopped, memory given back --> asleep
      ^                                                                                                  |
      +---------- loaded once for all requests that wait ------------------------- a request that needs it

What asks about the server's state neither wakes it nor keeps it awake.
"""

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.http.dialect import Endpoint
from server.http.error_format import format_error
from server.http.errors import ApiError
from server.settings import Settings
from server.state import ModelAsleep, ServerState
from slots.engine import Adapters, Engine
from slots.errors import EngineError
from slots.llama import release_free_memory

SECONDS_BETWEEN_CHECKS = 0.25
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

logger = logging.getLogger("server")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What an endpoint has answered."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Sleeper:
    """For the event loop."""

    def __init__(self, state: ServerState, idle_seconds: float, load: Callable[[], Awaitable[None]]) -> None:
        """`load` loads the model and puts its engine into `state`; it raises an error with a message for clients."""
        self._state = state
        self._idle_seconds = idle_seconds
        self._load = load
        self._n_requests = 0
        self._used_at = time.monotonic()
        self._memory_lock = asyncio.Lock()
        """Held while the model is unloaded or loaded."""
        self._waking: asyncio.Task[None] | None = None
        self._adapters: Adapters | None = None
        """Those of the last engine."""
        self.snapshots: Mapping[str, Snapshot] = {}
        """By path, while the model is not loaded."""

    async def run(self, app: Starlette, endpoints: Collection[str]) -> None:
        """Sends the model to sleep whenever it is idle, until this is cancelled. `endpoints` are the paths of those
        that answer while it is not loaded."""
        self._used_at = time.monotonic()
        while True:
            await asyncio.sleep(min(SECONDS_BETWEEN_CHECKS, self._idle_seconds))
            if self._is_busy():
                self._used_at = time.monotonic()
            elif self._state.engine and time.monotonic() - self._used_at >= self._idle_seconds:
                self.snapshots = {path: await _take_snapshot(app, path, self._state.settings) for path in endpoints}
                if not self._is_busy():
                    await self._fall_asleep(self._state.engine)

    @contextlib.asynccontextmanager
    async def use(self) -> AsyncIterator[None]:
        """Keeps the model loaded for a request, and loads it before. Raises ApiError (503) if that fails."""
        self._n_requests += 1
        try:
            await self.wake()
            yield
        finally:
            self._n_requests -= 1
            self._used_at = time.monotonic()

    async def wake(self) -> None:
        """Loads the model unless it is there. Those that wait for it share one load, and its failure. Raises ApiError
        (503)."""
        while self._state.is_sleeping:
            if self._waking is None:
                self._waking = asyncio.create_task(self._wake())
                self._waking.add_done_callback(lambda task: task.cancelled() or task.exception())  # all may have left
            await asyncio.shield(self._waking)

    async def _wake(self) -> None:
        try:
            async with self._memory_lock:
                started = time.monotonic()
                await self._load()
                if self._state.engine and self._adapters:
                    await _restore_adapters(self._state.engine, self._adapters)
                self._state.is_sleeping = False
            logger.info("Awake: the model was loaded again in %.1f seconds", time.monotonic() - started)
        except Exception as error:
            logger.warning("The model cannot be loaded again: %s", error)
            raise ApiError(503, f"the model was unloaded and cannot be loaded again: {error}") from None
        finally:
            self._waking = None

    async def _fall_asleep(self, engine: Engine) -> None:
        if self._state.settings.show_metrics:
            self._leave_metrics(engine)
        self._state.engine = self._state.chat_format = None
        self._state.is_sleeping = True
        self._adapters = engine.adapters
        async with self._memory_lock:
            await asyncio.to_thread(engine.stop)
            del engine
            await asyncio.to_thread(_release_memory)
        logger.info(
            "Asleep after %g seconds without a request: the model is unloaded until the next one", self._idle_seconds
        )

    def _leave_metrics(self, engine: Engine) -> None:
        """Lets scrapes be answered without the engine."""
        from server.metrics.exposition import MetricsText  # noqa: PLC0415 - imported for the first scrape

        state = self._state
        if state.metrics is None or not state.metrics.has_engine:
            state.metrics = MetricsText(engine, state.http_stats, state.settings.alias)
        state.metrics.leave_engine()

    def _is_busy(self) -> bool:
        """Whether a request is answered, or the engine works for one that was answered before."""
        engine = self._state.engine
        return self._n_requests > 0 or (engine is not None and not engine.is_idle)


class WakeForRequests:
    """Middleware that loads the model for requests that need it, and answers others while it is not loaded."""

    def __init__(self, app: ASGIApp, state: ServerState, endpoints: Mapping[str, Endpoint]) -> None:
        """`endpoints` are those with an answer while the model is not loaded, by path."""
        self.app = app
        self._state = state
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sleeper = self._state.sleeper
        if scope["type"] != "http" or sleeper is None:
            await self.app(scope, receive, send)
        elif scope["method"] not in SAFE_METHODS:
            await self._answer_awake(sleeper, scope, receive, send)
        elif self._state.is_sleeping and scope["path"] in sleeper.snapshots:
            await self._answer_as_before(sleeper.snapshots[scope["path"]], scope, send)
        else:
            try:
                await self.app(scope, receive, send)
            except ModelAsleep:
                await self._answer_awake(sleeper, scope, receive, send)

    async def _answer_awake(self, sleeper: Sleeper, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with sleeper.use():
                await self.app(scope, receive, send)
        except ApiError as error:
            await format_error(scope, error).response()(scope, receive, send)

    async def _answer_as_before(self, snapshot: Snapshot, scope: Scope, send: Send) -> None:
        change = self._endpoints[scope["path"]].while_asleep
        assert change is not None
        body = change(snapshot.body)
        headers = [(name, value) for name, value in snapshot.headers if name != b"content-length"]
        headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": snapshot.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


async def _take_snapshot(app: ASGIApp, path: str, settings: Settings) -> Snapshot:
    """Returns what the application answers to a GET request."""
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    full_path = settings.api_prefix + path
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": settings.scheme,
        "server": (settings.hosts[0], settings.port),
        "client": None,
        "root_path": "",
        "path": full_path,
        "raw_path": full_path.encode(),
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {key}".encode()) for key in settings.api_keys[:1]],
    }
    await app(scope, receive, send)
    start, *parts = messages
    return Snapshot(start["status"], list(start["headers"]), b"".join(part.get("body", b"") for part in parts))


async def _restore_adapters(engine: Engine, before: Adapters) -> None:
    """Loads the adapters that were loaded at run time and unloads those that were unloaded; those that applied to all
    requests do again."""
    names = {adapter.name for adapter in before.loaded}
    for adapter in engine.adapters.loaded:
        if adapter.name not in names:
            await engine.unload_adapter(adapter.name)
    present = {adapter.name for adapter in engine.adapters.loaded}
    for adapter in before.loaded:
        if adapter.name not in present:
            try:
                await engine.load_adapter(adapter.name, adapter.header.path)
            except EngineError as error:
                logger.warning("The adapter %s cannot be loaded again: %s", adapter.name, error)
    old_names = {adapter.number: adapter.name for adapter in before.loaded}
    numbers = {adapter.name: adapter.number for adapter in engine.adapters.loaded}
    scales = [(old_names[number], scale) for number, scale in before.global_set.scales]
    engine.adapters.set_global("lora", [(numbers[name], scale) for name, scale in scales if name in numbers])


def _release_memory() -> None:
    """Gives the memory of what nothing refers to back to the system; takes tenths of a second."""
    gc.unfreeze()
    gc.collect()
    release_free_memory()
