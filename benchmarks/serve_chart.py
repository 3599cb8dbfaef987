"""Draws the speeds that benchmarks.serve found: python -m benchmarks.serve_chart results.json chart.svg

Needs matplotlib: make install EXTRAS=plots
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

SPEED = "tokens/s"
COLOURS = ("#2f6db5", "#d9822b", "#b8bec6")
BAR_HEIGHT = 0.26


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Draws the speeds of a result, as benchmarks.serve writes it, into a file; its suffix says of which kind."""
    mpl.rcParams["svg.hashsalt"] = "serve"  # so that the same numbers give the same file
    rows = [row for row in result["rows"] if row["measure"] == SPEED]
    servers = list(dict.fromkeys(server for row in rows for server in row["medians"]))
    figure = Figure(figsize=(7, 0.6 + 0.32 * len(rows) * len(servers) / 2), layout="constrained")
    axes = figure.subplots()
    for number, (server, colour) in enumerate(zip(servers, COLOURS, strict=False)):
        places = [index + (number - (len(servers) - 1) / 2) * BAR_HEIGHT for index in range(len(rows))]
        speeds = [row["medians"].get(server, 0) for row in rows]
        bars = axes.barh(places, speeds, BAR_HEIGHT, label=server, color=colour)
        axes.bar_label(bars, labels=_labels(speeds), padding=3, fontsize=8)
    axes.set_yticks(range(len(rows)), [row["workload"] for row in rows])
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(f"tokens/s, {result['model']}, {result['machine']}, {result['date']}")
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _labels(speeds: Sequence[float]) -> list[str]:
    return [f"{speed:,.0f}" if speed else "" for speed in speeds]


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
