import socket
from pathlib import Path

import pytest

from server.lifecycle.listener import PortError, close_listeners, format_url, format_urls, open_listeners, open_port


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


def test_several_addresses_and_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "a.sock")
    hosts = ["127.0.0.1", path]
    listeners = open_listeners(hosts, 0)
    port = listeners[0].getsockname()[1]
    assert format_urls(listeners, "https") == f"https://127.0.0.1:{port}, unix:{path}"
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
    close_listeners(listeners, hosts)
    assert not Path(path).exists()


def test_a_unix_socket_in_use_is_left_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "a.sock")
    with open_listeners([path], 0)[0], pytest.raises(PortError, match=r"a\.sock: another program does; choose another"):
        open_listeners([path], 0)
    assert Path(path).exists()


def test_a_unix_socket_that_nobody_listens_at_any_more_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "a.sock")
    open_listeners([path], 0)[0].close()
    with open_listeners([path], 0)[0], socket.socket(socket.AF_UNIX) as client:
        client.connect(path)


def test_a_folder_that_is_not_there_has_no_unix_socket() -> None:
    with pytest.raises(PortError, match=r"^cannot listen on /no/such/a\.sock: No such file or directory$"):
        open_listeners(["/no/such/a.sock"], 0)


def test_a_failure_closes_the_other_listeners() -> None:
    with open_port("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(PortError, match="does not have that address"):
        open_listeners(["127.0.0.1", "192.0.2.1"], port)
    open_port("127.0.0.1", port).close()


def test_a_port_is_shared_by_those_that_want_to() -> None:
    with open_port("127.0.0.1", 0, reuse_port=True) as listener:
        port = listener.getsockname()[1]
        open_port("127.0.0.1", port, reuse_port=True).close()
