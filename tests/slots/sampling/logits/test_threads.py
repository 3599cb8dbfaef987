"""Parts of a step side by side, on llama.cpp's threads and on others."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from slots.sampling.logits.openmp import HAS_OPENMP
from slots.sampling.logits.threads import ThreadTeam
from tests.slots.sampling.factories import with_compiled_part


@pytest.fixture(params=[True, False], ids=["compiled", "not compiled"], autouse=True)
def is_compiled(request: pytest.FixtureRequest) -> Iterator[bool]:
    with with_compiled_part(enabled=request.param):
        yield request.param


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="compilers of other systems come without OpenMP")
def test_there_is_openmp_on_linux() -> None:
    assert HAS_OPENMP


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_results_have_the_order_of_the_parts(n_threads: int) -> None:
    cores = ThreadTeam(4, n_threads)
    assert cores.n == min(4, n_threads)
    for n_parts in (*range(1, cores.n), cores.n):
        assert cores.map(lambda part: 10 * part, n_parts) == [10 * part for part in range(n_parts)]
    cores.close()


def test_each_part_has_a_thread_of_its_own() -> None:
    cores = ThreadTeam(3, 3)
    all_there = threading.Barrier(3, timeout=10)

    def thread_of(_part: int) -> int:
        all_there.wait()
        return threading.get_ident()

    threads = cores.map(thread_of, 3)
    assert threads[0] == threading.get_ident()
    assert len(set(threads)) == 3
    cores.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts threads as Linux does")
def test_fewer_parts_end_none_of_llama_cpp_s_threads(is_compiled: bool) -> None:
    """It would begin them again for the next step."""
    if not is_compiled:
        pytest.skip("these threads are none of llama.cpp's")
    seen: list[set[str]] = []

    def engine() -> None:
        cores, fewer_slots = ThreadTeam(4, 4), ThreadTeam(2, 4)
        seen.append(threads_of_this_process())
        for some, n_parts in ((cores, 4), (cores, 2), (fewer_slots, 2), (cores, 1)):
            some.map(lambda part: part, n_parts)
            seen.append(threads_of_this_process())

    thread = threading.Thread(target=engine)
    thread.start()
    thread.join()
    before, first, *later = seen
    begun = first - before
    assert len(begun) == 3
    assert all(begun <= threads for threads in later)


def threads_of_this_process() -> set[str]:
    return {folder.name for folder in Path("/proc/self/task").iterdir()}


def test_threads_end_when_it_is_closed() -> None:
    cores = ThreadTeam(3, 3)
    cores.map(lambda part: part, 3)
    cores.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sampling")]


def test_one_part_is_done_by_the_thread_that_asks() -> None:
    cores = ThreadTeam(3, 3)
    assert cores.map(lambda _part: threading.get_ident(), 1) == [threading.get_ident()]
    cores.close()


@pytest.mark.parametrize("bad", [0, 1])
def test_what_a_part_raises_is_raised(bad: int) -> None:
    cores = ThreadTeam(2, 2)

    def work(part: int) -> int:
        if part == bad:
            raise ZeroDivisionError
        return part

    with pytest.raises(ZeroDivisionError):
        cores.map(work, 2)
    assert cores.map(lambda part: part, 2) == [0, 1]
    cores.close()
