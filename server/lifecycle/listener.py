"""The sockets that the server listens on."""

import errno
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path

from server.settings import is_socket_path


class PortError(Exception):
    """The message is one sentence that says why an address or port cannot be used."""


def open_listeners(hosts: Sequence[str], port: int, *, reuse_port: bool = False) -> list[socket.socket]:
    """Returns a socket that listens for each of the hosts, which are addresses or paths of Unix sockets. Raises
    PortError."""
    n_addresses = sum(not is_socket_path(host) for host in hosts)
    listeners: list[socket.socket] = []
    try:
        for host in hosts:
            if is_socket_path(host):
                listeners.append(open_unix_socket(host))
            else:
                # Beside other addresses, the one of all interfaces in IPv6 must leave those of IPv4 alone.
                listeners.append(open_port(host, port, reuse_port=reuse_port, ipv6_only=n_addresses > 1))
    except PortError:
        close_listeners(listeners, hosts[: len(listeners)])
        raise
    return listeners


def close_listeners(listeners: Iterable[socket.socket], hosts: Iterable[str]) -> None:
    """Closes the sockets, and removes the files of Unix sockets among the hosts."""
    for listener in listeners:
        listener.close()
    for host in filter(is_socket_path, hosts):
        Path(host).unlink(missing_ok=True)


def open_port(host: str, port: int, *, reuse_port: bool = False, ipv6_only: bool = False) -> socket.socket:
    """Returns a socket that listens on `host` and `port`; port 0 picks a free one. `reuse_port` lets other sockets
    listen there, too. Raises PortError."""
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
        if reuse_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if ipv6_only and family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        # Connections that come before the server accepts any wait in the backlog.
        listener.listen()
    except OSError as error:
        listener.close()
        raise PortError(_explain_error(error, where)) from None
    return listener


def open_unix_socket(path: str) -> socket.socket:
    """Returns a Unix socket that listens at `path`, in place of one that nobody listens at any more. Raises
    PortError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_old_socket(Path(path))
        listener.bind(path)
        listener.listen()
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortError(f"cannot listen on {path}: another program does; choose another with --host") from None
        raise PortError(f"cannot listen on {path}: {error.strerror or error}") from None
    return listener


def _remove_old_socket(path: Path) -> None:
    """Removes the file that a server leaves behind when it is killed."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if probe.connect_ex(str(path)) == errno.ECONNREFUSED:
            path.unlink()


def format_urls(listeners: Iterable[socket.socket], scheme: str) -> str:
    return ", ".join(format_url(listener, scheme) for listener in listeners)


def format_url(listener: socket.socket, scheme: str = "http") -> str:
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


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
