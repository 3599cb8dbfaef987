"""GracefulServer: uvicorn's server with a graceful shutdown. After a first signal running requests may finish, a second
one ends the process."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Iterator
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from server.lifecycle.http_protocol import http_protocol
from server.lifecycle.systemd import notify
from server.state import ServerState
from slots.engine import Engine

SIGNALS = (signal.SIGINT, signal.SIGTERM)
TASKS_INTERVAL = 0.05
"""Seconds between two looks at the requests that run while the server stops."""
SHUTDOWN_GRACE = 2
"""Seconds to send the last events after the engine has ended the requests."""

logger = logging.getLogger("server")


class GracefulServer(uvicorn.Server):
    """Returns after a signal, while uvicorn.Server would raise it again."""

    def __init__(self, app: ASGIApp, state: ServerState) -> None:
        settings = state.settings
        super().__init__(
            uvicorn.Config(
                app,
                workers=1,
                http=http_protocol(settings.io_timeout),
                ssl_keyfile=settings.tls_key_file,
                ssl_certfile=settings.tls_certificate_file,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=SHUTDOWN_GRACE,
            )
        )
        self._state = state

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        earlier = {number: signal.signal(number, self.handle_exit) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        name = signal.Signals(sig).name
        # While the model loads there is nothing to finish, and llama.cpp cannot cancel a load.
        if self.should_exit or (self._state.engine is None and not self._state.is_sleeping):
            logger.info("Stopped at once by %s", name)
            os._exit(0)
        logger.info("Stopping after %s: running requests have %d seconds", name, self._state.settings.shutdown_timeout)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        engine = self._state.engine
        if engine is None:
            await super().shutdown(sockets)
            return
        notify("STOPPING=1")
        if self._state.fine_tuning is not None:
            # A later server goes on with the job that runs.
            await asyncio.to_thread(self._state.fine_tuning.queue.stop)
        engine.drain()
        ending = asyncio.create_task(self._stop_after_timeout(engine))
        await self._finish_requests(ending)
        await super().shutdown(sockets)
        ending.cancel()
        await asyncio.to_thread(engine.stop)

    async def _finish_requests(self, ending: "asyncio.Task[None]") -> None:
        """Waits until no request runs, or `ending` has ended them. Until then the port stays open: whoever asks for the
        health of the server is told that it stops, and sends later requests elsewhere."""
        while self.server_state.tasks and not ending.done():  # noqa: ASYNC110 - uvicorn tells nobody of their ends
            await asyncio.sleep(TASKS_INTERVAL)

    async def _stop_after_timeout(self, engine: Engine) -> None:
        """Ends requests that are still running after the timeout; their clients get an error."""
        await asyncio.sleep(self._state.settings.shutdown_timeout)
        n_running = sum(slot.is_processing for slot in engine.slot_statuses())
        if n_running:
            logger.warning("Ending %d requests that still run", n_running)
        await asyncio.to_thread(engine.stop)
