"""Oracle: llama.cpp's own samplers on the same candidates."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.sampling.llama_samplers import Handle, LlamaCandidates, LlamaSampler
from slots.llama import Logits
from slots.sampling.logits.candidates import Candidates
from slots.sampling.logits.workspace import Workspace

SIZE = 500
FLAT_SIZE = 512
"""A uniform distribution over so many tokens is exact in binary."""
SEED = 5

Row = Logits


@dataclass(frozen=True)
class Remaining:
    """The result of a sampler: the remaining tokens with their probabilities."""

    probabilities: Mapping[int, float]
    selected: int | None
    """The token that it selected, if it selects one."""

    @property
    def tokens(self) -> set[int]:
        return set(self.probabilities)


def apply_and_free(handle: Handle, row: Row) -> Remaining:
    """Apply a sampler of llama.cpp to a row and free it."""
    with LlamaSampler(handle) as sampler:
        return apply_llama_sampler(sampler, row)


def apply_llama_sampler(sampler: LlamaSampler, row: Row) -> Remaining:
    """Apply a sampler of llama.cpp to a row."""
    candidates = LlamaCandidates(row.size).fill(row)
    sampler.apply(candidates)
    return make_remaining(candidates.tokens.tolist(), candidates.logits.astype(np.float64), candidates.selected)


def get_remaining(candidates: Candidates) -> Remaining:
    """The remaining candidates after our samplers."""
    tokens = [candidates.token(place) for place in range(len(candidates))]
    return make_remaining(tokens, candidates.logits.astype(np.float64))


def make_remaining(tokens: Sequence[int], logits: npt.NDArray[np.float64], selected: int | None = None) -> Remaining:
    weights = np.exp(logits - logits.max())
    probabilities = weights / weights.sum()
    possible = {t: float(p) for t, p, x in zip(tokens, probabilities, logits, strict=True) if x > -np.inf}
    return Remaining(possible, selected)


def full_row(row: Row) -> Candidates:
    """Candidates that are a copy of the full row."""
    return Candidates(row.copy(), Workspace(row.size))


def listed_row(row: Row) -> Candidates:
    """The same candidates in arrays, as after a sampler that removed none."""
    candidates = full_row(row)
    candidates.keep(np.arange(row.size))
    return candidates


def rows() -> Iterator[Row]:
    """Random, peaked, flat, tied and -inf-laden logits."""
    random = np.random.default_rng(SEED)
    for scale in (0.1, 1.0, 4.0, 20.0):
        for _ in range(3):
            yield (scale * random.standard_normal(SIZE)).astype(np.float32)
    yield peaked(random)
    yield tied(random)
    yield np.zeros(FLAT_SIZE, np.float32)
    yield with_masked(random)
    yield random.standard_normal(20_000).astype(np.float32)


def peaked(random: np.random.Generator) -> Row:
    row = random.standard_normal(SIZE).astype(np.float32)
    row[123] = 30.0
    return row


def tied(random: np.random.Generator) -> Row:
    return random.integers(-3, 4, SIZE).astype(np.float32)


def with_masked(random: np.random.Generator) -> Row:
    row = (2 * random.standard_normal(SIZE)).astype(np.float32)
    row[random.permutation(SIZE)[: SIZE // 2]] = -np.inf
    return row


def assert_same(row: Row, ours: Remaining, theirs: Remaining) -> None:
    """The same tokens with the same probabilities, within 1e-5.

    llama.cpp does not specify which of several equal logits are kept at a cutoff. It adds probabilities up in 32 bits,
    which can move the cutoff in a long row by a token with less than that probability.
    """
    sizes = len(ours.probabilities), len(theirs.probabilities)
    if row.size <= FLAT_SIZE:
        assert sizes[0] == sizes[1]
    if has_ties(row) or sizes[0] != sizes[1]:
        differences = np.zeros(max(sizes))
        differences[: sizes[0]] += sorted(ours.probabilities.values(), reverse=True)
        differences[: sizes[1]] -= sorted(theirs.probabilities.values(), reverse=True)
        assert np.abs(differences).max() < 1e-5
    else:
        assert ours.tokens == theirs.tokens
        assert all(abs(p - theirs.probabilities[token]) < 1e-5 for token, p in ours.probabilities.items())


def has_ties(row: Row) -> bool:
    possible = row[row > -np.inf]
    return np.unique(possible).size < possible.size
