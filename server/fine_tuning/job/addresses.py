"""Addresses: which hosts a URL of a request may lead to."""

import socket
from ipaddress import IPv6Address, ip_address


class ForbiddenAddress(Exception):
    """The message is a sentence."""


def resolve_host(host: str, port: int, *, allow_local: bool) -> str:
    """Returns one address of a host, as text. It is to be connected to as it is, since a second look-up might give
    another one.

    Raises ForbiddenAddress if any of its addresses is one of this machine or of a private network, unless they are
    allowed, and OSError for an unknown host.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(address[4][0]) for address in found]
    for address in addresses:
        if not allow_local and not is_public(address):
            raise ForbiddenAddress(
                f"{host} is {address}, which is no public address; `--fine-tune-allow-local` would allow it"
            )
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an address belongs to the public internet by itself. IPv6 addresses that stand for IPv4 ones, which may
    be private, do not: those with a prefix of zeros or of NAT64 are reserved, the others are 6to4 and Teredo."""
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address) and (parsed.sixtofour or parsed.teredo):
        return False
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved
