"""Targets of the benchmark of prefixes, and their table."""

from benchmarks.prefix.comparison import Row
from benchmarks.prefix.lookup import Lookup
from benchmarks.prefix.targets import Target, evaluation_targets, lookup_targets, targets_table

EACH = "for each new one"


def row(workload: str, *, median: float, largest: float) -> Row:
    return Row(
        workload, "ours", medians={EACH: median}, smallest={EACH: median}, largest={EACH: largest}, ratios={EACH: 1.0}
    )


def lookup(median_us: float) -> Lookup:
    return Lookup("all", median_us, p99_us=500.0, n_found=999, bytes_per_token=9.0)


def test_each_round_counts_and_not_their_median() -> None:
    targets = evaluation_targets([row("burst", median=1.0, largest=1.05), row("burst", median=1.0, largest=1.06)])
    assert [target.is_met for target in targets] == [True, False]


def test_chats_compute_nothing_twice() -> None:
    targets = evaluation_targets([row("chat", median=1.0, largest=1.0), row("chat", median=1.001, largest=1.001)])
    assert [target.is_met for target in targets] == [True, False]


def test_workloads_for_the_choice_of_a_layout_have_no_target() -> None:
    assert evaluation_targets([row("long", median=1.0, largest=9.0), row("shared", median=1.0, largest=9.0)]) == []


def test_a_lookup_is_held_by_its_median() -> None:
    assert [target.is_met for target in lookup_targets([lookup(99.9), lookup(100.1)])] == [True, False]


def test_what_is_missed_is_said_with_the_limit_and_the_value() -> None:
    (target,) = evaluation_targets([row("burst", median=1.0, largest=1.125)])
    assert target.failure_message == "burst, ours: tokens evaluated for each new one: 1.125, which is more than 1.05"


def test_the_table_says_of_each_whether_it_is_held() -> None:
    *_head, held, missed = targets_table([Target("one", 2.0, 1.5), Target("other", 2.0, 2.5)]).splitlines()
    assert (held, missed) == ("| one | 2 | 1.5 | yes |", "| other | 2 | 2.5 | NO |")
