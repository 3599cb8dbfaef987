"""Draw one of the candidates by its probability."""

import numpy as np
import numpy.typing as npt

from slots.sampling.logits.candidates import Candidates
from slots.sampling.logits.random_numbers import Random
from slots.sampling.logits.search import Floats

_BLOCK = 1024


def draw(candidates: Candidates, rng: Random) -> tuple[int, float]:
    """Draw a candidate; returns its index and its probability. Raises InvalidRequest if there is none."""
    return draw_weighted(candidates.softmax().weights, rng.random())


def draw_weighted(weights: Floats, uniform: float) -> tuple[int, float]:
    """Returns the index that a random number in [0, 1) stands for if each has a part of that range by its weight, and
    its share of all weights."""
    if weights.size > 2 * _BLOCK:
        return _draw_blockwise(weights, uniform)
    cumulative = weights.cumsum()
    index = _search(cumulative, uniform * cumulative[-1])
    return index, float(weights[index] / cumulative[-1])


def _draw_blockwise(weights: Floats, uniform: float) -> tuple[int, float]:
    """Find the block first, then the index within it: a cumulative sum over all weights would be slow."""
    blocks = np.add.reduceat(weights, np.arange(0, weights.size, _BLOCK)).cumsum(dtype=np.float64)
    block = _search(blocks, uniform * blocks[-1])
    before = blocks[block - 1] if block else 0.0
    start = block * _BLOCK
    cumulative = weights[start : start + _BLOCK].cumsum(dtype=np.float64)
    # Its total is not bit-identical to that of the block, which was added up in another order.
    uniform_in_block = (uniform * blocks[-1] - before) / (blocks[block] - before)
    index = start + _search(cumulative, uniform_in_block * cumulative[-1])
    return index, float(weights[index] / blocks[-1])


def _search(cumulative: npt.NDArray[np.float64], bound: float) -> int:
    index = int(cumulative.searchsorted(bound, side="right"))
    return index if index < cumulative.size else int(cumulative.searchsorted(cumulative[-1]))
