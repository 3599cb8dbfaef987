"""The tables of options in the documentation."""

from pathlib import Path

import pytest

from server.api.option_tables import MODELS, fill_tables, options_table

PAGES = sorted((Path(__file__).parents[3] / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_have_the_tables_of_the_code(page: Path) -> None:
    text = page.read_text()
    assert fill_tables(text) == text, "run: python -m server.api.option_tables docs/*.md"


def test_a_table_says_names_values_default_and_meaning() -> None:
    rows = options_table(MODELS["CompletionRequestBody"]).splitlines()
    assert rows[0] == "| Option | Value | Default | Meaning |"
    assert rows[2].startswith("| `prompt` | a string, a list of token ids, a list of strings and token ids, an ")
    assert "| `top_p` | a number from 0 to 1 | `0.95` | top-p: " in "\n".join(rows)
    assert "| `speculative.n_max` | -1 or more | `-1` | " in "\n".join(rows)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_option_has_a_meaning(model: type) -> None:
    rows = [line.strip("| ").split(" | ") for line in options_table(model).splitlines()[2:]]
    assert rows
    assert all(row[-1] and not row[-1].startswith("`") for row in rows)


def test_tables_of_other_dialects_have_what_differs_from_completion() -> None:
    table = options_table(MODELS["OpenAiCompletionRequestBody"])
    assert "| `repeat_penalty` | a number above 0 | `1.0` |" in table
    assert "`top_p`" not in table


def test_only_what_is_between_the_marks_changes() -> None:
    page = "# Title\n<!-- begin options: DetokenizeRequestBody -->\nold\n<!-- end options -->\nrest\n"
    filled = fill_tables(page)
    assert filled.startswith("# Title\n<!-- begin options: DetokenizeRequestBody -->\n| Option | Value |")
    assert filled.endswith("| ids of the tokens |\n<!-- end options -->\nrest\n")
    assert fill_tables(filled) == filled
