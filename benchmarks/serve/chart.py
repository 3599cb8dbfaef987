"""Draws the speeds among the results of benchmarks.serve: python -m benchmarks.serve.chart results.json chart.svg

Needs matplotlib, which make bench installs; otherwise: make install EXTRAS=plots
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.serve.comparison import BARE_LOOP, SPEED

COLOURS = ("#2f6db5", "#b8620e")
"""Of ours and the peer's bars."""
INK = "#30363d"
GROUP_HEIGHT = 0.68
"""Of the bars of one workload; 1 is from one workload to the next."""
MARK = f"{BARE_LOOP}, the limit"
MARK_HEIGHT = 0.84
SHORT = 0.15
"""Share of the longest bar's length below which a bar has no room for a text."""
SMALL = 8


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Draws the speeds of a result of benchmarks.serve into a file of the kind that its suffix names."""
    rows = [row for row in result["rows"] if row["measure"] == SPEED]
    servers = [
        server for server in dict.fromkeys(name for row in rows for name in row["medians"]) if server != BARE_LOOP
    ]
    figure = Figure(figsize=(7.5, 1.2 + 0.45 * len(rows)), layout="constrained")
    axes = figure.subplots()
    _draw_bars(axes, rows, servers)
    _draw_marks(axes, rows)
    axes.set_yticks(range(len(rows)), [row["workload"] for row in rows])
    axes.invert_yaxis()
    axes.margins(x=0.06, y=0.03)
    axes.set_xlim(left=0)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=SMALL)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.spines[["top", "right", "left"]].set_visible(False)
    compared = "; x: how many times faster ours is" if len(servers) > 1 else ""
    axes.set_xlabel(f"tokens/s, more is better{compared}", fontsize=SMALL + 1)
    figure.suptitle(_title(result), x=0.01, ha="left", fontsize=SMALL + 1, color=INK)
    named = zip(*axes.get_legend_handles_labels(), strict=True)
    handles, names = zip(*sorted(named, key=lambda pair: pair[1] == MARK), strict=True)
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False, fontsize=SMALL + 1)
    # So that texts stay texts, and the same numbers give the same file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "serve"}):
        figure.savefig(path, dpi=110, facecolor="white", metadata={"Date": None} if path.suffix == ".svg" else None)


def _draw_bars(axes: Axes, rows: Sequence[Mapping[str, Any]], servers: Sequence[str]) -> None:
    """Draws a bar for each server with its speed in it, or after it if it is too short for that."""
    height = GROUP_HEIGHT / len(servers)
    longest = max(max(row["medians"].values()) for row in rows)
    for number, (server, colour) in enumerate(zip(servers, COLOURS, strict=False)):
        positions = [index + (number - (len(servers) - 1) / 2) * height for index in range(len(rows))]
        speeds = [row["medians"].get(server, 0) for row in rows]
        axes.barh(positions, speeds, 0.94 * height, label=server, color=colour)
        for row, position, speed in zip(rows, positions, speeds, strict=True):
            label = _label(row, server, is_ours=number == 0)
            is_short = speed < SHORT * longest
            _write(axes, label, speed if is_short else 0, position, INK if is_short else "white")


def _label(row: Mapping[str, Any], server: str, *, is_ours: bool) -> str:
    speed = row["medians"].get(server)
    if speed is None:
        return ""
    ratio = f" ({row['ratio_to_peer']:.2f} x)" if is_ours and row["ratio_to_peer"] else ""
    return f"{speed:,.0f}{ratio}"


def _draw_marks(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draws a line across the bars of a workload at the speed of the bare loop."""
    marked = [(index, row["medians"]) for index, row in enumerate(rows) if BARE_LOOP in row["medians"]]
    if marked:
        bottoms = [index - MARK_HEIGHT / 2 for index, _medians in marked]
        tops = [index + MARK_HEIGHT / 2 for index, _medians in marked]
        axes.vlines(
            [medians[BARE_LOOP] for _index, medians in marked], bottoms, tops, color=INK, linewidth=2, label=MARK
        )
    for index, medians in marked:
        _write(axes, f"{medians[BARE_LOOP]:,.0f}", max(medians.values()), index, INK)


def _write(axes: Axes, text: str, x: float, y: float, colour: str) -> None:
    """Writes a text to the right of a point."""
    axes.annotate(text, (x, y), (4, 0), textcoords="offset points", va="center_baseline", color=colour, fontsize=SMALL)


def _title(result: Mapping[str, Any]) -> str:
    return f"{result['model']}, {result['slots']} slots, {result['machine']}, {result['date']}"


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
