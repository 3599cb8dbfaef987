"""llama.cpp's server, or another one, which ours is compared with."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness.server_process import ServerProcess

LLAMA_SERVER_HELP = "the program of llama.cpp's server, with more flags if it needs some, or the URL of a running one"


def is_url(peer: str) -> bool:
    return peer.startswith(("http://", "https://"))


def llama_server_command(peer: str, model: Path, n_slots: int, n_ctx: int) -> list[str]:
    """Returns the command that starts llama.cpp's server with a model and `n_slots` slots of `n_ctx` tokens, and with
    its default flags otherwise. Flags that are given are left as they are."""
    command = shlex.split(peer)
    flags = {"--model": str(model), "--parallel": str(n_slots), "--ctx-size": str(n_slots * n_ctx)}
    missing = [part for flag, value in flags.items() if flag not in command for part in (flag, value)]
    return [*command, *missing]


@contextmanager
def running_peer(peer: str, command: Sequence[str]) -> Iterator[str]:
    """Yields the URL of a server: `peer` if it is one, else that of a server which the command starts."""
    if is_url(peer):
        yield peer.rstrip("/")
    else:
        with ServerProcess(command) as process:
            yield process.url
