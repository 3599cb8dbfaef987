"""Which of llama.cpp's tests are expected to fail: those in the table of docs/llama_cpp_suite.md."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from tests.clients.llama_cpp_suite.outcomes import Outcome

PAGE = Path(__file__).parents[3] / "docs" / "llama_cpp_suite.md"

_TABLE = re.compile(r"<!-- begin expected failures -->(.*)<!-- end expected failures -->", re.DOTALL)
_ROW = re.compile(r"^\| `(unit/[^`]+)` \| (.+) \|$", re.MULTILINE)


def read_expected_failures(page: Path = PAGE) -> dict[str, str]:
    """Returns the reasons by test, which stands for all of its parameters, or by file."""
    table = _TABLE.search(page.read_text())
    assert table is not None
    return dict(_ROW.findall(table[1]))


def find_surprises(outcomes: Sequence[Outcome], expected: Collection[str]) -> list[str]:
    """Returns lines about tests that failed although they were not expected to, and about expected ones that passed."""
    failed = [outcome.test for outcome in outcomes if outcome.result == "failed" and not _names(outcome) & {*expected}]
    results: dict[str, set[str]] = {name: set() for name in expected}
    for outcome in outcomes:
        for name in _names(outcome) & {*expected}:
            results[name].add(outcome.result)
    passed = [name for name, seen in results.items() if seen == {"passed"}]
    return [f"failed, and is not listed: {test}" for test in failed] + [f"passes, but is listed: {x}" for x in passed]


def _names(outcome: Outcome) -> set[str]:
    return {outcome.file, outcome.test.partition("[")[0]}
