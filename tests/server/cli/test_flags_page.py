"""docs/flags.md is generated from the flags."""

from pathlib import Path

from server.cli.flags_page import flags_markdown

PAGE = Path(__file__).parents[3] / "docs" / "flags.md"


def test_the_page_is_what_the_flags_say() -> None:
    regenerate = "docs/flags.md is out of date: run `python -m server.cli.flags_page > docs/flags.md`"
    assert PAGE.read_text() == flags_markdown(), regenerate
