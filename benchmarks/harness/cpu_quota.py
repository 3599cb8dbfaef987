"""A CPU quota for the programs that a benchmark starts: a control group of its own, where it can be made."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from slots.machine import control_groups

_PERIOD_US = 100_000


class CpuQuota:
    """A control group below that of this process, version 1 or 2; as a context manager it is removed at the end, when
    its programs have ended."""

    def __init__(self, n_cpus: float) -> None:
        """Raises OSError if no group can be made here: that takes root's rights, or a group that was delegated."""
        quota = round(n_cpus * _PERIOD_US)
        for parent in control_groups("cpu"):
            self._parent, self._folder = parent, parent / f"benchmark{os.getpid()}"
            with suppress(OSError):
                (parent / "cgroup.subtree_control").write_text("+cpu")  # version 2
            with suppress(OSError):
                self._folder.mkdir()
                if (self._folder / "cpu.max").exists():
                    (self._folder / "cpu.max").write_text(f"{quota} {_PERIOD_US}")
                    return
                if (self._folder / "cpu.cfs_quota_us").exists():
                    (self._folder / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
                    (self._folder / "cpu.cfs_quota_us").write_text(str(quota))
                    return
                self._folder.rmdir()
        raise OSError(
            "no control group with a CPU quota can be made here; limit the CPUs with an affinity mask instead"
        )

    def __enter__(self) -> "CpuQuota":
        return self

    def __exit__(self, *_error: object) -> None:
        self._folder.rmdir()

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Keeps this process in the group; the programs that it starts meanwhile stay there."""
        (self._folder / "cgroup.procs").write_text(str(os.getpid()))
        try:
            yield
        finally:
            (self._parent / "cgroup.procs").write_text(str(os.getpid()))
