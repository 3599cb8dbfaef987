"""Tables of the documentation, made from the results of benchmarks.

`python -m benchmarks.tables [PAGES]` fills what is between the lines `<!-- begin results: TABLE FILES -->` and
`<!-- end results -->` of README.md and benchmarks/README.md, or of other pages. FILES are results in
benchmarks/results/, without their suffix; each TABLE is described below.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.busy import Row, format_rows
from benchmarks.harness.arguments import RESULTS
from benchmarks.harness.report import format_number, format_ratio, markdown_table
from benchmarks.real_models import MODELS
from benchmarks.serve.comparison import BARE_LOOP, SPEED

Result = Mapping[str, Any]
"""The contents of a file of results."""
Cells = Callable[[Mapping[str, Any], Sequence[str]], list[str]]
"""Makes the cells of a row, given the names of the servers."""

PAGES = [RESULTS.parent / "README.md", RESULTS.parents[1] / "README.md"]
_MARKED = re.compile(r"(<!-- begin results: (\w+) ([\w .-]+) -->\n).*?(<!-- end results -->)", re.DOTALL)
_TITLES = {f"{name}.gguf": model.title for name, model in MODELS.items()}


def fill_tables(page: str, folder: Path = RESULTS) -> str:
    """Returns the text of a page with its tables as the files in the folder have them, without those of files that are
    missing. Raises KeyError for an unknown table."""

    def fill(found: re.Match[str]) -> str:
        make_table = TABLES[found[2]]
        paths = [folder / f"{name}.json" for name in found[3].split()]
        results = [json.loads(path.read_text()) for path in paths if path.exists()]
        missing = [f"Not measured yet: `{path.name}`.\n" for path in paths if not path.exists()]
        charts = [path.with_suffix(".svg") for path in paths] if make_table is overhead else []
        images = [_image(chart.name) for chart in charts if chart.exists()]
        gap = ["\n"] if results and missing else []
        return "".join([found[1], f"{make_table(results)}\n" if results else "", *images, *gap, *missing, found[4]])

    return _MARKED.sub(fill, page)


def speeds(results: Sequence[Result]) -> str:
    """Returns the main table: for each model the medians of ours and the peer, and how many times as good ours is: as a
    median over the rounds, and in the best rounds."""
    header = [""]
    for result in results:
        ours, peer = result["servers"]
        header += [f"{_title(result)}: {ours}", peer, "ours is better", "best rounds"]
    return f"{_measured_on(results)}\n\n{markdown_table(header, _joined(results, _peer_cells))}"


def headline(results: Sequence[Result]) -> str:
    """Returns only the speeds of the main table, without the best rounds."""
    header = ["tokens/s"]
    for result in results:
        ours, peer = result["servers"]
        header += [f"{_title(result)}: {ours}", peer, ""]
    speed_rows = [{**each, "rows": [row for row in each["rows"] if row["measure"] == SPEED]} for each in results]
    rows = [[label.removesuffix(f", {SPEED}"), *cells] for label, *cells in _joined(speed_rows, _headline_cells)]
    return f"{_measured_on(results)}\n\n{markdown_table(header, rows)}"


def overhead(results: Sequence[Result]) -> str:
    """Returns the table of one model with our share of the bare loop's speed."""
    (result,) = results
    ours, peer = result["servers"]
    header = ["", ours, peer, "ours is better", "best rounds", BARE_LOOP, "of it"]
    rows = _joined(results, lambda row, servers: [*_peer_cells(row, servers), *_loop_cells(row)])
    return f"{_title(result)}: {_measured_on(results)}\n\n{markdown_table(header, rows)}"


def agents(results: Sequence[Result]) -> str:
    """Returns what the agents of benchmarks.prefix took on each model."""
    header = ["", "prompt tokens computed", "for each new one", "seconds", "best", "median first token, s"]
    lines = []
    for result in results:
        rows = [row for row in result["rows"] if row["workload"] == "agents"]
        lines += [[f"{_title(result)}: {row['server']}", *_agent_cells(row)] for row in rows]
        for row in rows[1:]:
            names = ("tokens evaluated", "for each new one", "seconds", "median first token, s")
            tokens, each, seconds, first = (format_ratio(row["ratios"][name]) for name in names)
            lines.append([f"{row['server']} : {rows[0]['server']}", tokens, each, seconds, "", first])
    return f"{_measured_on(results)}\n\n{markdown_table(header, lines)}"


def by_workload(results: Sequence[Result]) -> str:
    """Returns the medians of our server, and of the peer if it was measured, a line for each measure of a workload."""
    (result,) = results
    servers = result["servers"]
    header = ["", *servers, *(["ours is better"] if len(servers) > 1 else [])]
    lines = []
    for row in result["rows"]:
        medians = [format_number(row["medians"][server]) for server in servers]
        ratio = [format_ratio(row["ratio_to_peer"])] if len(servers) > 1 else []
        lines.append([f"{row['workload']}, {row['measure']}", *medians, *ratio])
    return f"{_title(result)}: {_measured_on(results)}\n\n{markdown_table(header, lines)}"


def beside_programs(results: Sequence[Result]) -> str:
    """Returns what each server does while other programs compute."""
    (result,) = results
    limit = result.get("cpus of the servers")
    title = f"{_title(result)}{f', CPUs of the servers: {limit}' if limit else ''}"
    on = f"{result['machine']}, {result['date']}, llama-cpp-python {result['llama-cpp-python']}"
    rows = [Row(**row) for row in result["rows"]]
    n_rounds = " or ".join(map(str, sorted({len(values) for row in rows for values in row.speeds.values()})))
    return f"{title}: {on}, tokens/s, medians (best) of {n_rounds} rounds:\n\n{format_rows(rows)}"


TABLES: Mapping[str, Callable[[Sequence[Result]], str]] = {
    "speeds": speeds,
    "headline": headline,
    "overhead": overhead,
    "agents": agents,
    "by_workload": by_workload,
    "beside_programs": beside_programs,
}


def _image(chart: str) -> str:
    return f"\n![tokens/s of both servers and the bare loop](results/{chart})\n"


def _title(result: Result) -> str:
    model: str = result["model"]
    return _TITLES.get(model, model.removesuffix(".gguf"))


def _measured_on(results: Sequence[Result]) -> str:
    """Returns the sentence above a table: the machine, the days, the version and the rounds."""
    dates = " and ".join(sorted({result["date"] for result in results}))
    rounds = " and ".join(dict.fromkeys(str(result["rounds"]) for result in results))
    counted = "a single round" if rounds == "1" else f"medians of {rounds} rounds"
    first = results[0]
    return f"{first['machine']}, {dates}, llama-cpp-python {first['llama-cpp-python']}, {counted}:"


def _joined(results: Sequence[Result], cells: Cells) -> list[list[str]]:
    """Returns a line for each row of the first result, with its cells and those of the same row of the others."""
    by_name = [{(row["workload"], row["measure"]): row for row in result["rows"]} for result in results]
    servers = [result["servers"] for result in results]
    lines = []
    for name in by_name[0]:
        of_all = [cells(rows[name], each) for rows, each in zip(by_name, servers, strict=True)]
        lines.append([", ".join(name), *(cell for one in of_all for cell in one)])
    return lines


def _peer_cells(row: Mapping[str, Any], servers: Sequence[str]) -> list[str]:
    medians = [format_number(row["medians"].get(server)) for server in servers]
    return [*medians, format_ratio(row["ratio_to_peer"]), format_ratio(row["ratio_of_best"])]


def _headline_cells(row: Mapping[str, Any], servers: Sequence[str]) -> list[str]:
    return _peer_cells(row, servers)[:-1]


def _loop_cells(row: Mapping[str, Any]) -> list[str]:
    share = row["share_of_bare_loop"]
    return [format_number(row["medians"].get(BARE_LOOP)), "" if share is None else f"{share:.0%}"]


def _agent_cells(row: Mapping[str, Any]) -> list[str]:
    medians = row["medians"]
    return [
        f"{medians['tokens evaluated']:,.0f}",
        f"{medians['for each new one']:.2f}",
        format_number(medians["seconds"]),
        format_number(row["smallest"]["seconds"]),
        f"{medians['median first token, s']:.2f}",
    ]


if __name__ == "__main__":
    for page in map(Path, sys.argv[1:] or PAGES):
        page.write_text(fill_tables(page.read_text()))
