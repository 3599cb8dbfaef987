"""The tables of the documentation that are made from results of benchmarks."""

import json
from pathlib import Path

import pytest

from benchmarks.tables import PAGES, fill_tables

RESULT = {
    "date": "2026-11-29",
    "machine": "x86_64, 2 cores",
    "llama-cpp-python": "0.3.36",
    "model": "smollm2.gguf",
    "rounds": 10,
    "servers": ["ours", "llama-server"],
    "rows": [
        {
            "workload": "1 client",
            "measure": "tokens/s",
            "medians": {"ours": 105.0, "llama-server": 110.0, "bare loop": 120.0},
            "ratio_to_peer": 0.96,
            "ratio_of_best": 1.01,
            "share_of_bare_loop": 0.875,
        },
        {
            "workload": "8, streamed",
            "measure": "first token p50, ms",
            "medians": {"ours": 70.0, "llama-server": 51.0},
            "ratio_to_peer": 0.74,
            "ratio_of_best": 0.8,
            "share_of_bare_loop": None,
        },
    ],
}
AGENTS = {
    **RESULT,
    "rows": [
        {
            "workload": "agents",
            "server": server,
            "medians": {"tokens evaluated": n, "for each new one": n / 1e4, "seconds": s, "median first token, s": 0.5},
            "smallest": {"seconds": s - 1},
            "ratios": {
                "tokens evaluated": n / 1e4,
                "for each new one": 1,
                "seconds": s / 30,
                "median first token, s": 1,
            },
        }
        for server, n, s in (("ours", 10_000, 30.0), ("llama.cpp", 30_000, 60.0))
    ],
}
ABOVE = "x86_64, 2 cores, 2026-11-29, llama-cpp-python 0.3.36, medians of 10 rounds:\n\n"

BUSY = {
    **RESULT,
    "cpus of the servers": "quota of 1",
    "rows": [
        {
            "workload": "generate",
            "n_programs": 1,
            "when": "steady",
            "speeds": {"default": [40.0, 60.0], "-t 1": [50.0, 50.0], "-t 2": [20.0, 20.0], "peer": [25.0, 20.0]},
        }
    ],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "smollm2.json").write_text(json.dumps(RESULT))
    (tmp_path / "gemma3.json").write_text(json.dumps({**RESULT, "model": "gemma3.gguf"}))
    (tmp_path / "agents.json").write_text(json.dumps(AGENTS))
    (tmp_path / "busy.json").write_text(json.dumps(BUSY))
    return tmp_path


def table(name: str, folder: Path) -> str:
    """Returns what stands between the marks of a table."""
    begin, end = f"<!-- begin results: {name} -->\n", "<!-- end results -->"
    page = fill_tables(f"before\n{begin}old{end}\nafter", folder)
    assert page.startswith(f"before\n{begin}")
    assert page.endswith(f"\n{end}\nafter")
    return page.removeprefix(f"before\n{begin}").removesuffix(f"\n{end}\nafter").removeprefix(ABOVE)


def test_the_main_table_has_the_models_side_by_side(folder: Path) -> None:
    lines = table("speeds smollm2 gemma3", folder).splitlines()
    head = ["SmolLM2-135M: ours | llama-server | ours is better | best rounds"]
    head += ["Gemma 3 270M: ours | llama-server | ours is better | best rounds"]
    assert lines[0] == f"|  | {' | '.join(head)} |"
    cells = "105 | 110 | 0.96 x | 1.01 x"
    assert lines[2] == f"| 1 client, tokens/s | {cells} | {cells} |"
    assert lines[3].startswith("| 8, streamed, first token p50, ms | 70.0 | 51.0 | 0.74 x |")


def test_the_headline_has_only_speeds(folder: Path) -> None:
    lines = table("headline smollm2", folder).splitlines()
    assert lines[0] == "| tokens/s | SmolLM2-135M: ours | llama-server |  |"
    assert lines[2:] == ["| 1 client | 105 | 110 | 0.96 x |"]


def test_the_overhead_is_our_share_of_the_bare_loop(folder: Path) -> None:
    lines = table("overhead smollm2", folder).splitlines()
    assert "| 1 client, tokens/s | 105 | 110 | 0.96 x | 1.01 x | 120 | 88% |" in lines


def test_agents_are_compared_by_tokens_and_seconds(folder: Path) -> None:
    lines = table("agents agents", folder).splitlines()
    assert "| SmolLM2-135M: ours | 10,000 | 1.00 | 30.0 | 29.0 | 0.50 |" in lines
    assert "| llama.cpp : ours | 3.00 x | 1.00 x | 2.00 x |  | 1.00 x |" in lines


def test_each_measure_of_a_workload_is_compared_with_the_peer(folder: Path) -> None:
    lines = table("by_workload smollm2", folder).splitlines()
    assert lines[0].startswith("SmolLM2-135M: x86_64, 2 cores, ")
    assert lines[2] == "|  | ours | llama-server | ours is better |"
    assert lines[4] == "| 1 client, tokens/s | 105 | 110 | 0.96 x |"


def test_a_single_round_has_no_median(folder: Path) -> None:
    (folder / "once.json").write_text(json.dumps({**RESULT, "rounds": 1}))
    assert table("headline once", folder).startswith(ABOVE.replace("medians of 10 rounds", "a single round"))


def test_beside_programs_each_row_has_the_medians_and_the_best(folder: Path) -> None:
    title, _gap, _head, _line, row = table("beside_programs busy", folder).splitlines()
    assert title.startswith("SmolLM2-135M, CPUs of the servers: quota of 1: x86_64, 2 cores, 2026-11-29")
    assert title.endswith("medians (best) of 2 rounds:")
    assert row == "| generate | 1 | steady | 50.0 (60.0) | 50.0 (50.0) | 20.0 (20.0) | 22.5 (25.0) | 2.30 x | 1.00 x |"


def test_the_overhead_has_its_chart_if_there_is_one(folder: Path) -> None:
    assert "](results/" not in table("overhead smollm2", folder)
    (folder / "smollm2.svg").write_text("<svg/>")
    assert "](results/smollm2.svg)" in table("overhead smollm2", folder)


def test_results_that_are_missing_are_named(folder: Path) -> None:
    assert table("speeds smollm3", folder) == "Not measured yet: `smollm3.json`."
    lines = table("speeds smollm2 smollm3", folder).splitlines()
    assert lines[0] == "|  | SmolLM2-135M: ours | llama-server | ours is better | best rounds |"
    assert lines[-1] == "Not measured yet: `smollm3.json`."


def test_an_unknown_table_is_refused(folder: Path) -> None:
    with pytest.raises(KeyError, match="slowness"):
        table("slowness smollm2", folder)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_the_tables_of_the_documentation_are_those_of_the_results(page: Path) -> None:
    assert fill_tables(page.read_text()) == page.read_text()
