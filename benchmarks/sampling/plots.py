"""Draws the plots of docs/samplers.md with the server's own samplers: what each does to one example distribution.

    make install EXTRAS=plots
    .venv/bin/python -m benchmarks.sampling.plots [folder]

The same matplotlib gives the same files.
"""

import io
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline

from slots.requests.sampling_params import DEFAULT_SAMPLERS, SamplerName, SamplingParams
from slots.sampling import Sampler, SamplerContext
from slots.sampling.logits.candidates import Candidates
from slots.sampling.logits.workspace import Workspace
from slots.sampling.samplers.adaptive_p import AdaptiveP

FOLDER = Path(__file__).parents[2] / "docs" / "samplers"

END = "<end>"
WEIGHTS = {
    " to": 0.20,
    " down": 0.18,
    " back": 0.11,
    " towards": 0.08,
    " away": 0.07,
    " through": 0.055,
    " along": 0.045,
    " into": 0.04,
    " up": 0.035,
    " toward": 0.03,
    " across": 0.025,
    ",": 0.022,
    END: 0.02,
    " and": 0.018,
    " out": 0.016,
    " home": 0.014,
    ".": 0.012,
    " past": 0.01,
    " around": 0.009,
    " on": 0.008,
    " over": 0.007,
    " with": 0.006,
    " behind": 0.005,
    " beside": 0.004,
    " between": 0.003,
    " until": 0.0025,
    " because": 0.002,
    " banana": 0.001,
    " seventeen": 0.0007,
}
"""How likely these are to follow "The old man walked slowly": a few likely ones, a shoulder and a long tail."""
WORDS = tuple(WEIGHTS)
TOKENS = {word: token for token, word in enumerate(WORDS)}
OTHER_TOKENS = range(len(WORDS), len(WORDS) + 100)
"""Words of the text before, none of which can follow."""
PEAK_LOGIT = 18.0
"""About that of the most likely token of a real model: the repetition penalty depends on it."""

CONTEXT = SamplerContext(
    n_vocab=len(WORDS),
    n_ctx=4096,
    end_token=TOKENS[END],
    end_of_generation=(TOKENS[END],),
    output_bytes=lambda token: WORDS[token].encode(),
)

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
DRAWS = 250
MEAN_WINDOW = 40
LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
LINE_START = re.compile(r"^ +", re.MULTILINE)

Floats = npt.NDArray[np.float64]
Logits = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Panel:
    """The example before and after some samplers."""

    title: str
    params: SamplingParams
    text: Sequence[int] = ()
    marks: tuple[tuple[str, str], ...] = ()
    """Words, each with the text next to its bar."""


def example() -> Logits:
    """Returns the logits of the example."""
    logits: Floats = np.log(list(WEIGHTS.values()))
    return (logits - float(logits.max()) + PEAK_LOGIT).astype(np.float32)


def make_sampler(params: SamplingParams, text: Sequence[int] = ()) -> Sampler:
    """The sampler of a request, which tells the probabilities that it leaves."""
    reported = params.replace(n_probs=len(WORDS), post_sampling_probs=True, seed=1)
    return Sampler(reported, text, CONTEXT)


def choose(sampler: Sampler, logits: Logits) -> tuple[float, Floats]:
    """The probability of a chosen token, and those of all words, 0 for those that were taken away."""
    probabilities = sampler.sample(logits.copy(), Workspace(logits.size)).logprobs
    assert probabilities is not None
    remaining = np.zeros(len(WORDS))
    for top in probabilities.top:
        remaining[top.token] = np.exp(top.logprob)
    return float(np.exp(probabilities.sampled.logprob)), remaining


def sampled_probabilities(params: SamplingParams, text: Sequence[int] = (), logits: Logits | None = None) -> Floats:
    """The probabilities that samplers leave of the example, or of other logits, after a text."""
    return choose(make_sampler(params, text), example() if logits is None else logits)[1]


def sampling_params(*samplers: SamplerName, **options: object) -> SamplingParams:
    """The options of a chain of these samplers."""
    return SamplingParams(samplers=samplers, **options)


def plain(name: SamplerName, option: str, *values: float) -> list[Panel]:
    """Returns a panel for each value of a sampler's option."""
    return [Panel(f"{option} = {value:g}", sampling_params(name, **{option: value})) for value in values]


def repeated(n: int) -> list[int]:
    """Returns a text whose last n tokens occur earlier, too, followed there by " down"."""
    sequence = list(OTHER_TOKENS[:n])
    return [OTHER_TOKENS[-1], *sequence, TOKENS[" down"], OTHER_TOKENS[-2], *sequence]


DRY_OPTIONS = {"dry_multiplier": 0.8, "dry_penalty_last_n": -1}


def _penalties() -> list[Panel]:
    counts = {" down": 3, " along": 2, " to": 1, " back": 1}
    text = [TOKENS[word] for word, count in counts.items() for _ in range(count)]
    marks = tuple((word, f"{count}×") for word, count in counts.items())

    def panel(**options: float) -> Panel:
        neutral: dict[str, float] = {"repeat_penalty": 1.0}
        title = ", ".join(f"{option} = {value:g}" for option, value in options.items())
        return Panel(title, sampling_params(SamplerName.PENALTIES, **(neutral | options)), text, marks)

    return [panel(repeat_penalty=1.1), panel(presence_penalty=0.8), panel(frequency_penalty=0.8)]


def _dry() -> list[Panel]:
    params = sampling_params(SamplerName.DRY, **DRY_OPTIONS)
    return [Panel(f"{n} tokens repeated", params, repeated(n), ((" down", "would repeat"),)) for n in (2, 3, 5)]


def _defaults() -> list[Panel]:
    temperature_first = (SamplerName.TEMPERATURE, *DEFAULT_SAMPLERS[:-1])
    return [
        Panel("all defaults", sampling_params(*DEFAULT_SAMPLERS)),
        Panel("temperature = 1.5", sampling_params(*DEFAULT_SAMPLERS, temperature=1.5)),
        Panel("temperature = 1.5,\nfirst in samplers", sampling_params(*temperature_first, temperature=1.5)),
    ]


def _xtc() -> list[Panel]:
    return [
        Panel(
            f"xtc_threshold = {threshold:g}",
            sampling_params(SamplerName.XTC, xtc_probability=1.0, xtc_threshold=threshold),
        )
        for threshold in (0.15, 0.1, 0.05)
    ]


def _adaptive_p() -> list[Panel]:
    alone = Panel(
        "adaptive_target = 0.1\nnothing before it", sampling_params(SamplerName.ADAPTIVE_P, adaptive_target=0.1)
    )
    after_min_p = [
        Panel(
            f"adaptive_target = {target:g}\nafter min_p = 0.1",
            sampling_params(SamplerName.MIN_P, SamplerName.ADAPTIVE_P, min_p=0.1, adaptive_target=target),
        )
        for target in (0.3, 0.1)
    ]
    return [*after_min_p, alone]


def _infill() -> list[Panel]:
    after_top_p = sampling_params(SamplerName.TOP_P, SamplerName.INFILL, top_p=0.9)
    return [
        Panel("only top_p = 0.9", sampling_params(SamplerName.TOP_P, top_p=0.9)),
        Panel("top_p = 0.9, then infill", after_top_p),
        Panel("infill alone", sampling_params(SamplerName.INFILL)),
    ]


def _logit_bias() -> list[Panel]:
    down, along = TOKENS[" down"], TOKENS[" along"]
    return [
        Panel('[[" along", 2]]', sampling_params(logit_bias=((along, 2.0),))),
        Panel('[[" along", 2], [" down", false]]', sampling_params(logit_bias=((along, 2.0), (down, -np.inf)))),
        Panel("ignore_eos = true", sampling_params(ignore_eos=True)),
    ]


def _min_keep() -> list[Panel]:
    return [
        Panel(f"top_p = 0.3\nmin_keep = {n}", sampling_params(SamplerName.TOP_P, top_p=0.3, min_keep=n))
        for n in (0, 5, 10)
    ]


COMPARISONS: dict[str, Callable[[], list[Panel]]] = {
    "defaults": _defaults,
    "penalties": _penalties,
    "dry": _dry,
    "top_n_sigma": lambda: plain(SamplerName.TOP_N_SIGMA, "top_n_sigma", 0.5, 1, 2),
    "top_k": lambda: plain(SamplerName.TOP_K, "top_k", 3, 10, 20),
    "tfs_z": lambda: plain(SamplerName.TFS_Z, "tfs_z", 0.7, 0.95, 0.99),
    "typ_p": lambda: plain(SamplerName.TYP_P, "typical_p", 0.2, 0.5, 0.9),
    "top_p": lambda: plain(SamplerName.TOP_P, "top_p", 0.5, 0.8, 0.95),
    "min_p": lambda: plain(SamplerName.MIN_P, "min_p", 0.02, 0.1, 0.3),
    "xtc": _xtc,
    "temperature": lambda: plain(SamplerName.TEMPERATURE, "temperature", 0.4, 0.8, 1.5),
    "adaptive_p": _adaptive_p,
    "infill": _infill,
    "logit_bias": _logit_bias,
    "min_keep": _min_keep,
}


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
        penalties = [_logit_penalty(sampled_probabilities(params, repeated(int(n)))) for n in lengths]
        axes.plot(lengths, penalties, color=colour, marker="o", markersize=3.5, label=label)
    axes.set_ylim(0, 20)
    axes.set_xticks(lengths)
    axes.legend(loc="upper left", title="the others as in the first:", alignment="left")
    return figure


def _logit_penalty(after: Floats) -> float:
    """Returns by how much the logit of " down" was lowered; that of " to" was not."""
    to, down = TOKENS[" to"], TOKENS[" down"]
    before = sampled_probabilities(sampling_params())
    with np.errstate(divide="ignore"):
        return float(np.log(after[to] / after[down]) - np.log(before[to] / before[down]))


def draw_dynamic_temperature() -> Figure:
    """Draws the temperature by the entropy, for the example made sharper and flatter."""
    figure, axes = _curves("entropy, as a share of the most that is possible", "temperature used")
    for exponent, colour in ((0.5, ORANGE), (1.0, BLUE), (2.0, GREEN)):
        params = sampling_params(SamplerName.TEMPERATURE, dynatemp_range=0.5, dynatemp_exponent=exponent)
        points = [_entropy_and_temperature(params, sharpness) for sharpness in np.geomspace(0.01, 100, 150)]
        axes.plot(*zip(*points, strict=True), color=colour, label=f"dynatemp_exponent {exponent:g}")
        share, temperature = _entropy_and_temperature(params, 1.0)
        axes.plot(share, temperature, "o", color=colour, markersize=5)
    axes.axvline(share, color=GREY, linewidth=1, zorder=0)
    axes.text(share - 0.01, 0.33, "the example", ha="right")
    axes.axhline(params.temperature, color=GREY, linewidth=1, linestyle="--", zorder=0)
    axes.text(0.01, params.temperature + 0.015, f"temperature {params.temperature:g}")
    axes.set_xlim(0, 1)
    axes.legend(loc="upper left", title=f"dynatemp_range {params.dynatemp_range:g}", alignment="left")
    return figure


def _entropy_and_temperature(params: SamplingParams, sharpness: float) -> tuple[float, float]:
    """Returns the entropy of the example at 1 / sharpness of its temperature, as a share of the maximum, and the
    temperature that is used for it."""
    logits = (example() * sharpness).astype(np.float32)
    before = sampled_probabilities(sampling_params(), logits=logits)
    after = sampled_probabilities(params, logits=logits)
    possible = before[before > 0]
    share = float(-possible.dot(np.log(possible)) / np.log(before.size))
    return share, float((logits[0] - logits[1]) / np.log(after[0] / after[1]))


def draw_adaptive_p_curve() -> Figure:
    """Draws the logit that a token gets by its probability."""
    figure, axes = _curves("probability of the token so far", "its new logit")
    shares = np.linspace(0.001, 0.999, 200)
    for target, colour in ((0.1, GREEN), (0.3, BLUE), (0.55, ORANGE)):
        axes.plot(shares, [_adapted(p, target) for p in shares], color=colour, label=f"adaptive_target {target:g}")
        axes.axvline(target, color=colour, linewidth=0.8, linestyle=":", zorder=0)
    axes.set_xlim(0, 1)
    axes.legend(loc="lower left")
    return figure


def _adapted(probability: float, target: float) -> float:
    """Returns the new logit of a token with this probability; another token has the rest."""
    candidates = Candidates(np.log([probability, 1 - probability]).astype(np.float32), Workspace(2))
    AdaptiveP(target, decay=0.9)(candidates)
    return float(candidates.logits[0])


def draw_mirostat() -> Figure:
    """Draws the surprise of sampled tokens, one after the other."""
    figure = Figure(figsize=(WIDTH, 2.9), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    drawn = np.arange(1, DRAWS + 1)
    for axes, tau in zip(panels, (1.5, 3.0), strict=True):
        for version, colour in ((1, ORANGE), (2, BLUE)):
            surprises = _surprises(sampling_params(mirostat=version, mirostat_tau=tau, temperature=1.0))
            if version == 2:
                axes.plot(drawn, surprises, color=GREY, linewidth=0.8, zorder=0, label="each token (mirostat 2)")
            label = f"mean of the last {MEAN_WINDOW} (mirostat {version})"
            axes.plot(drawn, _moving_mean(surprises), color=colour, label=label)
        axes.axhline(tau, color=TEXT, linewidth=0.9, linestyle="--", label="mirostat_tau")
        axes.set_title(f"mirostat_tau = {tau:g}, mirostat_eta = 0.1")
        axes.set_xlabel("tokens drawn")
        axes.set_xlim(0, DRAWS)
    panels[0].set_ylabel("surprise, in bits")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _surprises(params: SamplingParams) -> Floats:
    """Returns the surprises of tokens sampled from the example one after the other, in bits."""
    sampler = make_sampler(params)
    probabilities: Floats = np.array([choose(sampler, example())[0] for _ in range(DRAWS)])
    return -np.log2(probabilities)


def _moving_mean(values: Floats) -> Floats:
    sums = np.concatenate(([0.0], values.cumsum()))
    ends = np.arange(1, values.size + 1)
    starts = np.maximum(ends - MEAN_WINDOW, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)


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
