"""Draws the plots of docs/samplers.md: bars of the example before and after samplers, and curves.

    make install EXTRAS=plots
    .venv/bin/python -m benchmarks.sampling.plots [folder]

The same matplotlib gives the same files.
"""

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline

from benchmarks.sampling.plot_data import (
    COMPARISONS,
    DRAWS,
    DRY_OPTIONS,
    MEAN_WINDOW,
    TOKENS,
    WORDS,
    Floats,
    Panel,
    adapted_logit,
    entropy_and_temperature,
    logit_penalty,
    moving_mean,
    repeated,
    sample_surprises,
    sampled_probabilities,
    sampling_params,
)
from slots.requests.sampling_params import SamplerName

FOLDER = Path(__file__).parents[2] / "docs" / "samplers"

GREY, BLUE, ORANGE, GREEN, RED = "#c9cdd3", "#2166ac", "#d9730d", "#1b8a5a", "#c0392b"
TEXT = "#333a44"
STYLE: dict[Any, object] = {
    "svg.hashsalt": "llama-slots",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana"],
    "font.size": 8.0,
    "text.color": TEXT,
    "axes.edgecolor": "#9aa1ab",
    "axes.labelcolor": TEXT,
    "axes.titlesize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "legend.edgecolor": "none",
    "legend.framealpha": 1.0,
    "lines.linewidth": 1.6,
    "lines.solid_joinstyle": "round",
}
WIDTH = 7.2
LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
LINE_START = re.compile(r"^ +", re.MULTILINE)


def compare(panels: list[Panel]) -> Figure:
    """Draws bars of the example before and after, side by side."""
    figure = Figure(figsize=(WIDTH, 0.148 * len(WORDS) + 0.9), layout="constrained")
    before = sampled_probabilities(sampling_params())
    afters = [sampled_probabilities(panel.params, panel.text) for panel in panels]
    x_max = 0.6 if max(after.max() for after in afters) < 0.6 else 1.0
    all_axes = figure.subplots(1, len(panels))
    for axes, panel, after in zip(all_axes, panels, afters, strict=True):
        _bars(axes, before, 0.4, GREY)
        _bars(axes, after, 0.24, BLUE)
        _set_limits(axes, x_max)
        _annotate(axes, panel, np.maximum(before, after), (after == 0).nonzero()[0])
    for token, word in enumerate(WORDS):
        all_axes[0].text(-0.02 * x_max, token, word.strip(), ha="right", va="center")
    figure.supxlabel("probability: grey before, blue after, × taken away", fontsize=8)
    return figure


def _annotate(axes: Axes, panel: Panel, lengths: Floats, removed: npt.NDArray[np.intp]) -> None:
    """Writes the texts next to bars of these lengths, and crosses out the words that are removed."""
    axes.set_title(panel.title)
    axes.plot(np.full(removed.size, 0.02 * axes.get_xlim()[1]), removed, "x", markersize=3.2, color=RED)
    for word, mark in panel.marks:
        axes.text(lengths[TOKENS[word]] + 0.015, TOKENS[word], mark, va="center", color=ORANGE)
    n_left = len(WORDS) - removed.size
    left = "1 token left" if n_left == 1 else f"{n_left} tokens left" if removed.size else "all tokens left"
    axes.text(0.97, 0.05, left, transform=axes.transAxes, ha="right", color=BLUE)


def _bars(axes: Axes, lengths: Floats, half: float, colour: str) -> None:
    """Draws horizontal bars, one for each word, as one outline: that makes a file a fifth as large."""
    rows = np.arange(lengths.size)
    zeros = np.zeros(lengths.size)
    corners = [(zeros, rows - half), (lengths, rows - half), (lengths, rows + half), (zeros, rows + half)]
    vertices = np.stack([np.stack(corner, axis=-1) for corner in [*corners, corners[0]]], axis=1)
    codes = [Outline.MOVETO, Outline.LINETO, Outline.LINETO, Outline.LINETO, Outline.CLOSEPOLY]
    axes.add_patch(PathPatch(Outline(vertices.reshape(-1, 2), codes * lengths.size), color=colour, linewidth=0))


def _set_limits(axes: Axes, x_max: float) -> None:
    ticks = np.linspace(0, x_max, 4 if x_max == 0.6 else 5)
    axes.set_xlim(0, x_max)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_ylim(len(WORDS) - 0.4, -0.6)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def draw_dry_penalty() -> Figure:
    """Draws how much the logit of a token loses by the length of the repetition that it continues."""
    figure, axes = _curves("tokens repeated before it", "taken from the token's logit")
    lengths = np.arange(1, 13)
    settings: list[tuple[dict[str, float], str, str]] = [
        ({}, BLUE, "dry_multiplier 0.8"),
        ({"dry_multiplier": 0.4}, ORANGE, "dry_multiplier 0.4"),
        ({"dry_base": 1.3}, GREEN, "dry_base 1.3"),
        ({"dry_allowed_length": 5}, RED, "dry_allowed_length 5"),
    ]
    for options, colour, label in settings:
        params = sampling_params(SamplerName.DRY, **(DRY_OPTIONS | options))
        penalties = [logit_penalty(sampled_probabilities(params, repeated(int(n)))) for n in lengths]
        axes.plot(lengths, penalties, color=colour, marker="o", markersize=3.5, label=label)
    axes.set_ylim(0, 20)
    axes.set_xticks(lengths)
    axes.legend(loc="upper left", title="the others as in the first:", alignment="left")
    return figure


def draw_dynamic_temperature() -> Figure:
    """Draws the temperature by the entropy, for the example made sharper and flatter."""
    figure, axes = _curves("entropy, as a share of the most that is possible", "temperature used")
    for exponent, colour in ((0.5, ORANGE), (1.0, BLUE), (2.0, GREEN)):
        params = sampling_params(SamplerName.TEMPERATURE, dynatemp_range=0.5, dynatemp_exponent=exponent)
        points = [entropy_and_temperature(params, sharpness) for sharpness in np.geomspace(0.01, 100, 150)]
        axes.plot(*zip(*points, strict=True), color=colour, label=f"dynatemp_exponent {exponent:g}")
        share, temperature = entropy_and_temperature(params, 1.0)
        axes.plot(share, temperature, "o", color=colour, markersize=5)
    axes.axvline(share, color=GREY, linewidth=1, zorder=0)
    axes.text(share - 0.01, 0.33, "the example", ha="right")
    axes.axhline(params.temperature, color=GREY, linewidth=1, linestyle="--", zorder=0)
    axes.text(0.01, params.temperature + 0.015, f"temperature {params.temperature:g}")
    axes.set_xlim(0, 1)
    axes.legend(loc="upper left", title=f"dynatemp_range {params.dynatemp_range:g}", alignment="left")
    return figure


def draw_adaptive_p_curve() -> Figure:
    """Draws the logit that a token gets by its probability."""
    figure, axes = _curves("probability of the token so far", "its new logit")
    shares = np.linspace(0.001, 0.999, 200)
    for target, colour in ((0.1, GREEN), (0.3, BLUE), (0.55, ORANGE)):
        axes.plot(shares, [adapted_logit(p, target) for p in shares], color=colour, label=f"adaptive_target {target:g}")
        axes.axvline(target, color=colour, linewidth=0.8, linestyle=":", zorder=0)
    axes.set_xlim(0, 1)
    axes.legend(loc="lower left")
    return figure


def draw_mirostat() -> Figure:
    """Draws the surprise of sampled tokens, one after the other."""
    figure = Figure(figsize=(WIDTH, 2.9), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    drawn = np.arange(1, DRAWS + 1)
    for axes, tau in zip(panels, (1.5, 3.0), strict=True):
        for version, colour in ((1, ORANGE), (2, BLUE)):
            surprises = sample_surprises(sampling_params(mirostat=version, mirostat_tau=tau, temperature=1.0))
            if version == 2:
                axes.plot(drawn, surprises, color=GREY, linewidth=0.8, zorder=0, label="each token (mirostat 2)")
            label = f"mean of the last {MEAN_WINDOW} (mirostat {version})"
            axes.plot(drawn, moving_mean(surprises), color=colour, label=label)
        axes.axhline(tau, color=TEXT, linewidth=0.9, linestyle="--", label="mirostat_tau")
        axes.set_title(f"mirostat_tau = {tau:g}, mirostat_eta = 0.1")
        axes.set_xlabel("tokens drawn")
        axes.set_xlim(0, DRAWS)
    panels[0].set_ylabel("surprise, in bits")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _curves(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


CURVES: dict[str, Callable[[], Figure]] = {
    "dry_penalty": draw_dry_penalty,
    "dynamic_temperature": draw_dynamic_temperature,
    "adaptive_p_curve": draw_adaptive_p_curve,
    "mirostat": draw_mirostat,
}


def main(folder: Path) -> None:
    """Writes all plots and replaces those in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        figures = {name: compare(panels()) for name, panels in COMPARISONS.items()}
        figures |= {name: draw_plot() for name, draw_plot in CURVES.items()}
        for name, figure in figures.items():
            (folder / f"{name}.svg").write_text(_svg(figure))


def _svg(figure: Figure) -> str:
    """Returns the figure without the parts that change from run to run, with two decimals."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None}, facecolor="white")
    return LINE_START.sub("", LONG_NUMBER.sub(lambda number: f"{float(number[0]):.2f}", file.getvalue()))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
