"""The data of the plots of docs/samplers.md: what the server's own samplers do to one example distribution."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slots.requests.sampling_params import DEFAULT_SAMPLERS, SamplerName, SamplingParams
from slots.sampling import Sampler, SamplerContext
from slots.sampling.logits.candidates import Candidates
from slots.sampling.logits.workspace import Workspace
from slots.sampling.samplers.adaptive_p import AdaptiveP

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

DRAWS = 250
"""Tokens that mirostat samples, one after the other."""
MEAN_WINDOW = 40
"""Of these, in the mean that is plotted."""

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
    """Returns the sampler of a request, which reports the probabilities that it leaves."""
    reported = params.replace(n_probs=len(WORDS), post_sampling_probs=True, seed=1)
    return Sampler(reported, text, CONTEXT)


def choose(sampler: Sampler, logits: Logits) -> tuple[float, Floats]:
    """Returns the probability of a sampled token, and those of all words, 0 for those that were removed."""
    probabilities = sampler.sample(logits.copy(), Workspace(logits.size)).logprobs
    assert probabilities is not None
    remaining = np.zeros(len(WORDS))
    for top in probabilities.top:
        remaining[top.token] = np.exp(top.logprob)
    return float(np.exp(probabilities.sampled.logprob)), remaining


def sampled_probabilities(params: SamplingParams, text: Sequence[int] = (), logits: Logits | None = None) -> Floats:
    """Returns the probabilities that samplers leave of the example, or of other logits, after a text."""
    return choose(make_sampler(params, text), example() if logits is None else logits)[1]


def sampling_params(*samplers: SamplerName, **options: object) -> SamplingParams:
    """Returns the options of a chain of these samplers."""
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


def logit_penalty(after: Floats) -> float:
    """Returns by how much the logit of " down" was lowered; that of " to" was not."""
    to, down = TOKENS[" to"], TOKENS[" down"]
    before = sampled_probabilities(sampling_params())
    with np.errstate(divide="ignore"):
        return float(np.log(after[to] / after[down]) - np.log(before[to] / before[down]))


def entropy_and_temperature(params: SamplingParams, sharpness: float) -> tuple[float, float]:
    """Returns the entropy of the example at 1 / sharpness of its temperature, as a share of the maximum, and the
    temperature that is used for it."""
    logits = (example() * sharpness).astype(np.float32)
    before = sampled_probabilities(sampling_params(), logits=logits)
    after = sampled_probabilities(params, logits=logits)
    possible = before[before > 0]
    share = float(-possible.dot(np.log(possible)) / np.log(before.size))
    return share, float((logits[0] - logits[1]) / np.log(after[0] / after[1]))


def adapted_logit(probability: float, target: float) -> float:
    """Returns the new logit of a token with this probability; another token has the rest."""
    candidates = Candidates(np.log([probability, 1 - probability]).astype(np.float32), Workspace(2))
    AdaptiveP(target, decay=0.9)(candidates)
    return float(candidates.logits[0])


def sample_surprises(params: SamplingParams) -> Floats:
    """Returns the surprises of tokens sampled from the example one after the other, in bits."""
    sampler = make_sampler(params)
    probabilities: Floats = np.array([choose(sampler, example())[0] for _ in range(DRAWS)])
    return -np.log2(probabilities)


def moving_mean(values: Floats) -> Floats:
    """Returns the means of the last MEAN_WINDOW values up to each one, of fewer at the beginning."""
    sums = np.concatenate(([0.0], values.cumsum()))
    ends = np.arange(1, values.size + 1)
    starts = np.maximum(ends - MEAN_WINDOW, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)
