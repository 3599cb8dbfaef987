"""The links of README.md and docs/: each leads to a file, or to a heading of one. What docs/architecture.md and
docs/development.md say about the code is there."""

import re
import tomllib
from itertools import zip_longest
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "benchmarks/README.md", *sorted((ROOT / "docs").glob("*.md"))]
MAX_README_LINES = 200
QUESTIONS = (
    "How is the next batch planned?",
    "How is a token chosen?",
    "How is a prefix reused?",
    "How does a chat stream a tool call?",
)
MAX_FILES_OF_AN_ANSWER = 6

_CODE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
_INLINE_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_PATH = re.compile(r"`((?:server|slots|grammar|models|tests|benchmarks|docs)/[\w./]*)`")
_NAME = re.compile(r"`([A-Za-z_]\w*(?:\.\w+)*)(?:\(\))?`")


def links(page: Path) -> list[str]:
    """Returns the targets of a page's links to files and headings, and not those to other sites."""
    text = _INLINE_CODE.sub("``", _CODE.sub("", page.read_text()))
    return [target for target in _LINK.findall(text) if "://" not in target]


def anchors(page: Path) -> set[str]:
    """Returns the anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in _HEADING.findall(_CODE.sub("", page.read_text())):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        n_equal = sum(re.fullmatch(rf"{re.escape(anchor)}(-\d+)?", other) is not None for other in found)
        found.add(f"{anchor}-{n_equal}" if n_equal else anchor)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert not broken


def test_every_page_of_the_documentation_can_be_reached_from_the_readme() -> None:
    linked = {(ROOT / target.partition("#")[0]).resolve() for target in links(ROOT / "README.md")}
    assert {page for page in PAGES if page not in linked} == {ROOT / "README.md"}


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= MAX_README_LINES


@pytest.mark.parametrize("page", ["architecture.md", "development.md"])
def test_every_file_that_is_named_exists(page: str) -> None:
    paths = _PATH.findall((ROOT / "docs" / page).read_text())
    assert paths
    assert not [path for path in paths if not (ROOT / path).exists()]


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_names_few_files_and_what_is_in_them(question: str) -> None:
    answer = (ROOT / "docs/architecture.md").read_text().split(f"\n## {question}\n")[1].split("\n## ")[0]
    files = {path for path in _PATH.findall(answer) if not path.endswith("/")}
    assert 1 < len(files) <= MAX_FILES_OF_AN_ANSWER
    code = "\n".join((ROOT / path).read_text() for path in files)
    names = {part for name in _NAME.findall(answer) for part in name.split(".")}
    assert not {name for name in names if not re.search(rf"\b{name}\b", code)}


def test_the_layers_are_those_that_make_lint_holds() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    page = (ROOT / "docs/architecture.md").read_text()
    rows = (
        page.split("\n-----------        -------------          ------------\n", 1)[1].split("\n```", 1)[0].splitlines()
    )
    shown = [[row[start:end].strip() for row in rows] for start, end in ((0, 19), (19, 42), (42, None))]
    layers = zip_longest(*(contract["layers"] for contract in contracts[:3]), fillvalue="")
    assert shown == [list(column) for column in zip(*layers, strict=True)]
