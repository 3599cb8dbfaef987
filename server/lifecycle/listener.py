"""The socket that the server listens on."""

import errno
import socket


class PortError(Exception):
    """The message is one sentence that says why an address or port cannot be used."""


def open_port(host: str, port: int) -> socket.socket:
    """Returns a socket that listens on `host` and `port`; port 0 picks a free one. Raises PortError."""
    where = f"{host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError):
        raise PortError(f"--host: expected an address of this machine, got {host}") from None
    try:
        # A port with connections in TIME_WAIT can be used again at once.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Connections that come before the server accepts any wait in the backlog.
        listener.listen()
    except OSError as error:
        listener.close()
        raise PortError(_explain_error(error, where)) from None
    return listener


def format_url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _explain_error(error: OSError, where: str) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"cannot listen on {where}: another program does; choose another port with --port"
        case errno.EACCES:
            return f"cannot listen on {where}: this user may not; choose a port above 1023 with --port"
        case errno.EADDRNOTAVAIL:
            return f"cannot listen on {where}: this machine does not have that address; choose another with --host"
        case _:
            return f"cannot listen on {where}: {error.strerror}"
