"""Machine: the CPUs and the memory that this process may use, within its affinity mask and its control groups."""

import math
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/")
_MOUNT = re.compile(r"^\S+ \S+ \S+ (\S+) (\S+) .*- (cgroup2?) \S+ (\S+)$", re.MULTILINE)
"""A mount of control groups in /proc/self/mountinfo: the group at its root, its folder, the version, options."""
_OWN_GROUP = re.compile(r"^\d+:([^:]*):(/.*)$", re.MULTILINE)
"""A line of /proc/self/cgroup: controllers, and the group of the process. Version 2 names no controllers."""


@dataclass(frozen=True, slots=True)
class UsableCpus:
    n_threads: int
    """Threads that can run at the same time; at least 1."""
    n_cores: int
    """Cores that these run on, fewer if a core runs two threads; at least 1."""


def usable_cpus(cpus: Collection[int] | None = None, root: Path = _ROOT) -> UsableCpus:
    """Returns how much of the CPUs `cpus`, by default those of the affinity mask, the CPU quotas leave. A quota of 1.5
    CPUs leaves two threads and one core."""
    allowed = _affinity() if cpus is None else cpus
    quota = min((_cpu_quota(folder) for folder in control_groups("cpu", root)), default=math.inf)
    n_cores = len({_siblings(cpu, root) for cpu in allowed})
    return UsableCpus(
        n_threads=max(1, math.ceil(min(quota, len(allowed)))), n_cores=max(1, math.floor(min(quota, n_cores)))
    )


def usable_memory(root: Path = _ROOT) -> int:
    """Returns the bytes of this machine's memory, or of the smallest limit of the control groups if that is less."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([physical, *(_memory_limit(folder, physical) for folder in control_groups("memory", root))])


def free_memory(root: Path = _ROOT) -> int:
    """Returns the bytes that this machine has available, or the least that the control groups leave if that is less."""
    found = re.search(r"^MemAvailable: +(\d+) kB$", _read(root / "proc/meminfo"), re.MULTILINE)
    available = 1024 * int(found[1]) if found else usable_memory(root)
    return min([available, *(_memory_left(folder, available) for folder in control_groups("memory", root))])


def _affinity() -> Collection[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)


def _siblings(cpu: int, root: Path) -> str:
    """Returns the threads of a CPU's core, as the kernel lists them; the CPU alone if that is unknown."""
    return _read(root / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list") or str(cpu)


def _cpu_quota(group: Path) -> float:
    """Returns the CPUs that a control group may use; infinite without a quota."""
    quota, period = [*_read(group / "cpu.max").split(), "", ""][:2]  # version 2
    if not quota:
        quota, period = _read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us")
    if not (quota.isdecimal() and period.isdecimal() and int(period)):  # "max", "-1", or there is no such file
        return math.inf
    return int(quota) / int(period)


def _memory_limit(group: Path, default: int) -> int:
    """Returns the bytes that a control group may use."""
    limit = _read(group / "memory.max") or _read(group / "memory.limit_in_bytes")
    return int(limit) if limit.isdecimal() else default


def _memory_left(group: Path, default: int) -> int:
    """Returns the bytes that a control group may still use; what it holds of files that can be read again is free."""
    limit, used = _memory_limit(group, -1), _read(group / "memory.current") or _read(group / "memory.usage_in_bytes")
    if limit < 0 or not used.isdecimal():
        return default
    found = re.search(r"^(?:total_)?inactive_file (\d+)$", _read(group / "memory.stat"), re.MULTILINE)
    return max(limit - int(used) + (int(found[1]) if found else 0), 0)


def control_groups(controller: str, root: Path = _ROOT) -> Iterator[Path]:
    """Yields the folders of this process's control groups of both versions, each before its parents."""
    own = {
        name: group
        for names, group in _OWN_GROUP.findall(_read(root / "proc/self/cgroup"))
        for name in names.split(",")
    }
    for mounted, mount_point, version, options in _MOUNT.findall(_read(root / "proc/self/mountinfo")):
        is_version_2 = version == "cgroup2"
        if is_version_2 or controller in options.split(","):
            folder = root / _unescape(mount_point).lstrip("/")
            group = folder / _relative(own.get("" if is_version_2 else controller, "/"), _unescape(mounted))
            yield from (each for each in (group, *group.parents) if each.is_relative_to(folder))


def _relative(group: str, mounted: str) -> str:
    """Returns the path of a group within a mount that shows the groups from `mounted` on; in a container whose groups
    are named as outside, the mounted one is its own."""
    parts, top = Path(group).parts[1:], Path(mounted).parts[1:]
    if ".." in parts or parts[: len(top)] != top:
        return ""
    return "/".join(parts[len(top) :])


def _unescape(path: str) -> str:
    """Returns a path of mountinfo, in which spaces are written as octal numbers."""
    return path.replace("\\040", " ")


def _read(file: Path) -> str:
    """Returns a file's text without surrounding blanks; an empty one if it cannot be read."""
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
