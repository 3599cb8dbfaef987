"""The workloads of the benchmark of prefixes."""

import pytest

from benchmarks.harness.workload import Workload
from benchmarks.prefix.workloads import WORKLOADS


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
def test_a_workload_is_made_as_small_as_a_short_context_needs(workload: Workload) -> None:
    assert 200 < workload.fit_to(256).n_ctx <= 256


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
def test_a_workload_stays_as_it_is_where_there_is_room(workload: Workload) -> None:
    assert workload.fit_to(2048) == workload
