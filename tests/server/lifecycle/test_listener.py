import socket

import pytest

from server.lifecycle.listener import PortError, format_url, open_port


def test_an_open_port_takes_connections_at_once() -> None:
    with open_port("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname(), timeout=5):
        assert format_url(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_name_is_taken_for_its_address() -> None:
    with open_port("localhost", 0) as listener:
        assert listener.getsockname()[0] in ("127.0.0.1", "::1")


def test_an_address_of_ipv6_has_brackets_in_its_url() -> None:
    try:
        listener = open_port("::1", 0)
    except PortError:
        pytest.skip("this machine has no IPv6")
    with listener:
        assert format_url(listener) == f"http://[::1]:{listener.getsockname()[1]}"


def test_a_port_in_use() -> None:
    with open_port("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PortError, match=rf"^cannot listen on 127\.0\.0\.1:{port}: another program does; "):
            open_port("127.0.0.1", port)


def test_an_address_of_another_machine() -> None:
    with pytest.raises(PortError, match=r"this machine does not have that address; choose another with --host"):
        open_port("192.0.2.1", 0)


def test_a_name_without_an_address() -> None:
    with pytest.raises(PortError, match=r"^--host: expected an address of this machine, got no\.invalid$"):
        open_port("no.invalid", 0)
