"""The outcomes of llama.cpp's tests, read from pytest's report."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

Result = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Outcome:
    file: str
    """Such as unit/test_basic.py."""
    name: str
    """With its parameters."""
    result: Result

    @property
    def test(self) -> str:
        return f"{self.file}::{self.name}"


def read_outcomes(report: Path) -> list[Outcome]:
    """Reads a report in JUnit's format."""
    cases = ElementTree.parse(report).getroot().iter("testcase")
    return [Outcome(_file(case), case.get("name", ""), _result(case)) for case in cases]


def _file(case: ElementTree.Element) -> str:
    return f"{case.get('classname', '').replace('.', '/')}.py"


def _result(case: ElementTree.Element) -> Result:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


def count_by_file(outcomes: Sequence[Outcome]) -> Mapping[str, Counter[Result]]:
    counts: dict[str, Counter[Result]] = {}
    for outcome in outcomes:
        counts.setdefault(outcome.file, Counter())[outcome.result] += 1
    return counts


def format_counts(counts: Mapping[str, Counter[Result]]) -> str:
    """Returns a table with a line for each file, and one for all."""
    rows = [*counts.items(), ("together", sum(counts.values(), Counter[Result]()))]
    lines = [f"{file:<36}{row['passed']:>8}{row['failed']:>8}{row['skipped']:>8}" for file, row in rows]
    return "\n".join([f"{'':<36}{'passed':>8}{'failed':>8}{'skipped':>8}", *lines])
