"""What systemd is told: that the server is ready, stops, and still makes progress (sd_notify(3))."""

import asyncio
import os
import socket
from collections.abc import Callable

from slots.engine import Engine

SOCKET_VARIABLE = "NOTIFY_SOCKET"
WATCHDOG_VARIABLE = "WATCHDOG_USEC"


def notify(state: str) -> bool:
    """Sends a state such as READY=1. Returns False if nobody wants to know, as outside of a unit with Type=notify."""
    path = os.environ.get(SOCKET_VARIABLE, "")
    if not path:
        return False
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as messages:
        try:
            messages.connect(address)
            messages.sendall(state.encode())
        except OSError:
            return False
    return True


def watchdog_interval() -> float | None:
    """Returns after how many seconds to send a sign of life: half of the time after which systemd ends the process."""
    microseconds = os.environ.get(WATCHDOG_VARIABLE, "")
    wanted = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(microseconds) / 2e6 if microseconds.isdigit() and wanted else None


async def feed_watchdog(get_engine: Callable[[], Engine | None]) -> None:
    """Sends signs of life as long as the engine makes progress, or none is loaded. Returns at once if none are
    wanted."""
    interval = watchdog_interval()
    while interval is not None:
        engine = get_engine()
        if engine is None or engine.health().is_alive:
            notify("WATCHDOG=1")
        del engine  # it may be unloaded meanwhile
        await asyncio.sleep(interval)
