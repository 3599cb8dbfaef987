"""Host memory: what this process has, and giving back what its C library keeps for later."""

import ctypes
import sys
from pathlib import Path
from typing import Any

_STATUS = Path("/proc/self/status")


class _MallocInfo(ctypes.Structure):
    """glibc's struct mallinfo2."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def resident_bytes() -> int | None:
    """Returns what this process has in memory, pages of files included; None if the system does not say."""
    return _status_bytes("VmRSS")


def private_bytes() -> int | None:
    """Returns what of it belongs to no file; None if the system does not say."""
    return _status_bytes("RssAnon")


def allocated_bytes() -> int | None:
    """Returns what the process has allocated in C and not freed; None for C libraries other than glibc."""
    function = _libc_function("mallinfo2")
    if function is None:
        return None
    function.restype = _MallocInfo
    info = function()
    return int(info.uordblks + info.hblkhd)


def release_free_memory() -> None:
    """Give memory that the C library keeps for later back to the system. Takes some milliseconds; does nothing for
    libraries other than glibc."""
    trim = _libc_function("malloc_trim")
    if trim is not None:
        trim(0)


def _libc_function(name: str) -> Any:  # noqa: ANN401 - of ctypes
    """Returns a function of the C library; None if it has none of this name."""
    return None if sys.platform == "win32" else getattr(ctypes.CDLL(None), name, None)


def _status_bytes(name: str) -> int | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), None)
