"""The CPUs and the memory that a process may use, in control groups that are made up."""

import os
from pathlib import Path

import pytest

from slots.machine import UsableCpus, free_memory, usable_cpus, usable_memory

VERSION_2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"
GIB = 2**30


class FakeMachine:
    """A folder with the files of /proc and /sys."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")

    def mount(self, *lines: str) -> None:
        self.write("proc/self/mountinfo", "\n".join(["22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw", *lines]))

    def cpus(self, n_cpus: int = 8) -> UsableCpus:
        return usable_cpus(range(n_cpus), self.root)

    @property
    def memory(self) -> int:
        return usable_memory(self.root)


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path)


def test_without_control_groups_all_cpus_and_all_memory_are_usable(machine: FakeMachine) -> None:
    assert machine.cpus() == UsableCpus(n_threads=8, n_cores=8)
    assert machine.memory == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    ("quota", "usable"),
    [
        ("max 100000", UsableCpus(8, 8)),
        ("100000 100000", UsableCpus(1, 1)),
        ("150000 100000", UsableCpus(2, 1)),
        ("20000 100000", UsableCpus(1, 1)),
        ("1600000 100000", UsableCpus(8, 8)),
    ],
)
def test_the_quota_of_version_2(machine: FakeMachine, quota: str, usable: UsableCpus) -> None:
    machine.mount(VERSION_2)
    machine.write("proc/self/cgroup", "0::/system.slice/server.service")
    machine.write("sys/fs/cgroup/system.slice/server.service/cpu.max", quota)
    assert machine.cpus() == usable


def test_the_limits_of_parents_hold_too_in_version_2(machine: FakeMachine) -> None:
    machine.mount(VERSION_2)
    machine.write("proc/self/cgroup", "0::/pod/container")
    machine.write("sys/fs/cgroup/pod/cpu.max", "300000 100000")
    machine.write("sys/fs/cgroup/pod/container/cpu.max", "max 100000")
    machine.write("sys/fs/cgroup/pod/memory.max", str(GIB))
    machine.write("sys/fs/cgroup/pod/container/memory.max", "max")
    assert machine.cpus() == UsableCpus(3, 3)
    assert machine.memory == GIB


def test_a_container_sees_its_own_group_as_the_root(machine: FakeMachine) -> None:
    machine.mount(VERSION_2)
    machine.write("proc/self/cgroup", "0::/")
    machine.write("sys/fs/cgroup/cpu.max", "200000 100000")
    machine.write("sys/fs/cgroup/memory.max", str(GIB // 2))
    assert machine.cpus() == UsableCpus(2, 2)
    assert machine.memory == GIB // 2


def test_version_1_has_a_hierarchy_for_each_controller(machine: FakeMachine) -> None:
    machine.mount(
        "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct",
        "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
    )
    machine.write("proc/self/cgroup", "4:memory:/pod/a\n2:cpu,cpuacct:/pod/b\n0::/")
    machine.write("sys/fs/cgroup/cpu,cpuacct/pod/b/cpu.cfs_quota_us", "250000")
    machine.write("sys/fs/cgroup/cpu,cpuacct/pod/b/cpu.cfs_period_us", "100000")
    machine.write("sys/fs/cgroup/cpu,cpuacct/pod/cpu.cfs_quota_us", "-1")
    machine.write("sys/fs/cgroup/cpu,cpuacct/pod/cpu.cfs_period_us", "100000")
    machine.write("sys/fs/cgroup/memory/pod/a/memory.limit_in_bytes", "9223372036854771712")
    machine.write("sys/fs/cgroup/memory/pod/memory.limit_in_bytes", str(GIB))
    assert machine.cpus() == UsableCpus(3, 2)
    assert machine.memory == GIB


def test_a_container_of_version_1_may_see_its_group_by_its_name_outside(machine: FakeMachine) -> None:
    machine.mount("35 31 0:32 /docker/f00 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory")
    machine.write("proc/self/cgroup", "4:memory:/docker/f00/inner")
    machine.write("sys/fs/cgroup/memory/memory.limit_in_bytes", str(2 * GIB))
    machine.write("sys/fs/cgroup/memory/inner/memory.limit_in_bytes", str(GIB))
    assert machine.memory == GIB


@pytest.mark.parametrize("path", ["/../outside", "/elsewhere"])
def test_of_a_group_outside_of_the_mount_only_the_mount_is_read(machine: FakeMachine, path: str) -> None:
    machine.mount("35 31 0:32 /docker/f00 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory")
    machine.write("proc/self/cgroup", f"4:memory:{path}")
    machine.write("sys/fs/cgroup/memory/memory.limit_in_bytes", str(GIB))
    machine.write("sys/fs/cgroup/outside/memory.limit_in_bytes", "1")
    assert machine.memory == GIB


def test_two_threads_of_a_core_are_one_core(machine: FakeMachine) -> None:
    for cpu in range(4):
        machine.write(f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list", f"{cpu % 2},{cpu % 2 + 2}")
    assert machine.cpus(4) == UsableCpus(n_threads=4, n_cores=2)


@pytest.mark.parametrize("text", ["", "nonsense", "1:2", "- - -", "30 23 0:26 / - cgroup2"])
def test_files_that_say_nothing_limit_nothing(machine: FakeMachine, text: str) -> None:
    machine.write("proc/self/mountinfo", text)
    machine.write("proc/self/cgroup", text)
    assert machine.cpus() == UsableCpus(8, 8)
    assert machine.memory > GIB // 4


def test_the_memory_of_this_machine_is_known() -> None:
    assert 2**28 < usable_memory() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="there are no affinity masks here")
def test_the_affinity_mask_of_this_process_is_heeded() -> None:
    mask = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(mask)})
    try:
        assert usable_cpus() == UsableCpus(1, 1)
    finally:
        os.sched_setaffinity(0, mask)


def test_free_is_what_the_machine_has_available(machine: FakeMachine) -> None:
    machine.write("proc/meminfo", "MemTotal:  8388608 kB\nMemAvailable:  4194304 kB")
    assert free_memory(machine.root) == 4 * GIB


def test_free_is_what_the_control_group_leaves_if_that_is_less(machine: FakeMachine) -> None:
    machine.mount(VERSION_2)
    machine.write("proc/meminfo", "MemAvailable:  4194304 kB")
    machine.write("proc/self/cgroup", "0::/pod")
    machine.write("sys/fs/cgroup/pod/memory.max", str(2 * GIB))
    machine.write("sys/fs/cgroup/pod/memory.current", str(GIB + GIB // 2))
    assert free_memory(machine.root) == GIB // 2
    machine.write("sys/fs/cgroup/pod/memory.stat", f"anon 1\ninactive_file {GIB // 4}\nslab 1")
    assert free_memory(machine.root) == GIB // 2 + GIB // 4
    machine.write("sys/fs/cgroup/pod/memory.max", "max")
    assert free_memory(machine.root) == 4 * GIB
