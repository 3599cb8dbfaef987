"""What all benchmarks print and write."""

import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.report import format_number, markdown_table, run_rounds, write_results


@dataclass(frozen=True)
class Row:
    measure: str
    seconds: float


def test_a_table_aligns_numbers_to_the_right_and_labels_to_the_left() -> None:
    table = markdown_table(["slots", "kind", "seconds"], [[1, "a", "2.5"], [4, "b", ""]], n_labels=2)
    assert table.splitlines() == [
        "| slots | kind | seconds |",
        "| --- | --- | ---: |",
        "| 1 | a | 2.5 |",
        "| 4 | b |  |",
    ]


def test_the_first_round_does_not_count() -> None:
    assert run_rounds(3, lambda number: number) == [1, 2, 3]


def test_small_numbers_have_decimals() -> None:
    assert [format_number(value) for value in (1234.5, 100.0, 99.94, None)] == ["1,234", "100", "99.9", ""]


def test_results_are_objects_with_what_they_were_measured_on(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "burst.json"
    write_results(path, {"machine": "small"}, rows=[Row("burst", 1.5)])
    assert json.loads(path.read_text()) == {"machine": "small", "rows": [{"measure": "burst", "seconds": 1.5}]}
