"""Parts of a step side by side, on llama.cpp's threads and on others."""

import sys
import threading
from collections.abc import Iterator

import pytest

from slots.sampling.cores import Cores
from slots.sampling.side_by_side import HAS_OPENMP
from tests.slots.sampling.made_up import compiled


@pytest.fixture(params=[True, False], ids=["compiled", "not compiled"], autouse=True)
def is_compiled(request: pytest.FixtureRequest) -> Iterator[None]:
    with compiled(is_there=request.param):
        yield


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="compilers of other systems come without OpenMP")
def test_there_is_openmp_on_linux() -> None:
    assert HAS_OPENMP


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_results_have_the_order_of_the_parts(n_threads: int) -> None:
    cores = Cores(4, n_threads)
    assert cores.n == min(4, n_threads)
    for n_parts in (*range(1, cores.n), cores.n):
        assert cores.do(lambda part: 10 * part, n_parts) == [10 * part for part in range(n_parts)]
    cores.close()


def test_each_part_has_a_thread_of_its_own() -> None:
    cores = Cores(3, 3)
    all_there = threading.Barrier(3, timeout=10)

    def thread_of(_part: int) -> int:
        all_there.wait()
        return threading.get_ident()

    threads = cores.do(thread_of, 3)
    assert threads[0] == threading.get_ident()
    assert len(set(threads)) == 3
    cores.close()


def test_one_part_is_done_by_the_thread_that_asks() -> None:
    cores = Cores(3, 3)
    assert cores.do(lambda _part: threading.get_ident(), 1) == [threading.get_ident()]
    cores.close()


@pytest.mark.parametrize("bad", [0, 1])
def test_what_a_part_raises_is_raised(bad: int) -> None:
    cores = Cores(2, 2)

    def work(part: int) -> int:
        if part == bad:
            raise ZeroDivisionError
        return part

    with pytest.raises(ZeroDivisionError):
        cores.do(work, 2)
    assert cores.do(lambda part: part, 2) == [0, 1]
    cores.close()
