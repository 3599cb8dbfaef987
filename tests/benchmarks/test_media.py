"""The benchmark of pictures beside streams: which pauses are counted, and what its table says."""

import pytest

from benchmarks.harness.client import Answer
from benchmarks.harness.report import make_rows, workload_table
from benchmarks.media.__main__ import ALONE, DURING, MEASURES, OURS, RATIO, pauses, picture, summary


def answer(arrivals: list[float]) -> Answer[list[int]]:
    return Answer([1], len(arrivals), [1] * len(arrivals), 1, len(arrivals), arrivals)


def test_pauses_that_touch_the_picture_are_counted_apart() -> None:
    one, other = answer([0.0, 1.0, 2.0, 5.0, 6.0]), answer([0.0, 1.5, 5.0])
    alone, during = pauses([(10.0, one), (11.0, other)], 13.5, 14.0)
    assert alone == pytest.approx([1.0, 1.0, 1.5])
    assert during == pytest.approx([3.0, 3.5])


def test_pauses_before_all_streams_have_begun_and_after_one_has_ended_do_not_count() -> None:
    one, other = answer([0.0, 3.0, 4.0, 5.0]), answer([0.5, 1.5, 2.0])
    alone, during = pauses([(10.0, one), (12.9, other)], 20.0, 21.0)
    assert alone == pytest.approx([1.0, 0.5])
    assert not during


def test_pauses_are_set_against_those_of_the_streams_alone() -> None:
    values = summary([0.01, 0.02, 0.03], [0.03, 0.04, 0.06])
    assert values[f"{ALONE} p50, ms"] == pytest.approx(20)
    assert values[f"{DURING} longest, ms"] == pytest.approx(60)
    assert values[f"{RATIO}, p50"] == pytest.approx(2)
    assert set(MEASURES) > set(values)


def test_each_round_has_a_new_picture() -> None:
    assert picture([1]) != picture([2])
    assert picture([1]) == picture([1])


def test_the_table_says_how_many_times_as_good_ours_is() -> None:
    rounds = [{OURS: dict.fromkeys(MEASURES, 2.0), "peer": dict.fromkeys(MEASURES, 6.0)}]
    rows = make_rows("encoding", rounds, [OURS, "peer"], MEASURES)
    assert [row.ratio_to_peer for row in rows] == [3.0] * len(MEASURES)
    assert "3.00 x" in workload_table(rows, [OURS, "peer"])
    assert (
        "x"
        not in workload_table(make_rows("encoding", rounds, [OURS], MEASURES), [OURS]).splitlines()[2].split("|")[-2]
    )
