"""Candidates: the tokens that may still be sampled, with their logits."""

import math
from typing import Self

import numpy as np
import numpy.typing as npt

from slots.errors import InvalidRequest
from slots.llama import Logits
from slots.sampling.logits import bitmask
from slots.sampling.logits.bitmask import Words
from slots.sampling.logits.search import MIN_FOLDED_SIZE, Floats, argsort_descending, indices_at_least, top_k_indices
from slots.sampling.logits.workspace import Floats32, FoldedRow, Indices, Workspace

MAX_LOGIT = 1e30  # keeps extreme penalties and biases finite: a softmax of infinities is undefined
_NEGLIGIBLE = np.float32(-200.0)  # its exponential is 0 in 32 bits and, unlike -inf, it can be multiplied by 0
MAX_TOP_K = 512
"""Of the sampling kernel. Weights of so few candidates are computed one by one, with the C library's exponential, as
there: numpy's own may differ in the last bit."""


def no_token_left() -> InvalidRequest:
    return InvalidRequest("logit_bias", "expected a token that is not ruled out, got none")


def nan_logits() -> ArithmeticError:
    return ArithmeticError("the model computed logits that are not numbers")


def check_max_logit(logit: float) -> None:
    if not logit > -np.inf:
        raise no_token_left() if logit == -np.inf else nan_logits()


class Softmax:
    """Probabilities of candidates: `weights` divided by `total()`."""

    __slots__ = ("_shifted", "weights")

    def __init__(self, shifted: Floats32, weights: Floats) -> None:
        self._shifted = shifted  # logits less the largest one, shape (candidates,)
        self.weights = weights  # their exponentials

    def total(self) -> float:
        return float(np.add.reduce(self.weights))

    def mean_shifted(self) -> float:
        """The expected shifted logit: the log of the total less the entropy, in nats."""
        np.maximum(self._shifted, _NEGLIGIBLE, out=self._shifted)
        return float(self.weights.dot(self._shifted)) / self.total()

    def entropy(self) -> float:
        return math.log(self.total()) - self.mean_shifted()

    def distances(self, shifted: float) -> Floats32:
        """Absolute differences of the shifted logits, which are overwritten, to one value."""
        np.subtract(self._shifted, np.float32(shifted), out=self._shifted)
        return np.abs(self._shifted, out=self._shifted)


class Candidates:
    """Tokens with their logits, which samplers change and remove one after the other.

    At first they are the full row, float32 of shape (vocabulary,), in which the index of a logit is its token. The
    first sampler that removes tokens replaces it by arrays of the others; until then it is changed in place.
    """

    __slots__ = ("_edits", "_folded", "_row", "ids", "is_sorted", "logits", "n_masked", "workspace")

    def __init__(self, row: Logits, workspace: Workspace) -> None:
        self.logits = row  # shape (candidates,)
        self.workspace = workspace
        self.ids: Indices | None = None  # the tokens, shape (candidates,); None for a full row
        self.is_sorted = False  # by falling logit, with the lower token first among equals
        self.n_masked = 0  # candidates with a logit of -inf, not in the arrays, that some samplers have to count
        self._row = row
        self._edits: list[tuple[Indices, Logits]] = []
        self._folded: FoldedRow | None = None

    def __len__(self) -> int:
        return self.logits.size

    @property
    def n_total(self) -> int:
        return len(self) + self.n_masked

    def token(self, index: int) -> int:
        return index if self.ids is None else int(self.ids[index])

    def max_logit(self) -> float:
        if self.is_sorted:
            return float(self.logits[0])
        folded = self._folded_row()
        return folded.max() if folded else float(np.maximum.reduce(self.logits))

    def argmax(self) -> int:
        """The index of the largest logit, of the lowest token among equals."""
        if self.ids is not None:
            self.sort()
            return 0
        return int(self.logits.argmax())

    def apply_mask(self, allowed: Words) -> None:
        """Set the logits of all tokens of a full row that are not in a set to -inf."""
        np.copyto(self.logits, -np.inf, where=bitmask.complement(allowed, self.workspace.mask[: len(self)]))
        self._folded = None

    def top_k(self, n: int) -> Indices:
        """Return the indices of the n largest logits, largest first, the lower index first among equals."""
        indices = top_k_indices(self.logits, n, self.workspace, self._folded)
        if indices.size < min(n, len(self)):
            raise nan_logits()
        return indices

    def sort(self) -> Self:
        """Sort by falling logit, with the lower token first among equals."""
        if self.is_sorted:
            return self
        if self.ids is not None:  # in any order
            self._take(self.ids.argsort(kind="stable"))
        self._take(argsort_descending(self.logits))
        if len(self) and np.isnan(self.logits[[0, -1]]).any():
            raise nan_logits()
        self.is_sorted = True
        return self

    def keep(self, indices: Indices) -> None:
        """Remove all but the candidates at these indices, in this order."""
        self._take(indices)
        self.n_masked = 0

    def keep_but_count(self, indices: Indices) -> None:
        n_before = self.n_total
        self._take(indices)
        self.n_masked = n_before - len(self)

    def keep_first(self, n: int) -> None:
        if self.ids is None or not self.is_sorted:  # a full row never is
            self.keep_largest(n)
        else:
            n_left = min(n, self.n_total)
            self.ids, self.logits = self.ids[:n], self.logits[:n]
            self.n_masked = n_left - len(self)

    def keep_largest(self, n: int) -> None:
        if self.ids is None:
            self.keep(self.top_k(n))
            self.is_sorted = True
        else:
            self.sort()
            self.keep_first(n)

    def keep_from(self, bound: float, min_keep: int = 1) -> None:
        """Remove the candidates with a logit below `bound`, but keep at least `min_keep`, or all if there are fewer."""
        if self.is_sorted:
            n = int((-self.logits).searchsorted(np.float32(-bound), side="right"))
            self.keep_first(max(n, min_keep))
            return
        indices = indices_at_least(self.logits, bound, self.workspace, self._folded_row())
        if indices.size < min_keep:
            self.keep_largest(min_keep)
        elif indices.size < self.n_total:
            self.keep(indices)

    def keep_from_but_count(self, bound: float) -> None:
        n_before = self.n_total
        self.keep_from(bound)
        self.n_masked = n_before - len(self)

    def find(self, tokens: Indices) -> tuple[Indices, Indices | slice]:
        """Find tokens. Returns the indices of those that are candidates, and which of `tokens` these are."""
        if self.ids is None:
            return tokens, slice(None)
        order = self.ids.argsort()
        positions = self.ids.searchsorted(tokens, sorter=order)
        indices = order[np.minimum(positions, self.ids.size - 1)]
        which = (self.ids[indices] == tokens).nonzero()[0]
        return indices[which], which

    def set_logits_at(self, indices: Indices, logits: npt.NDArray[np.float64]) -> None:
        """Replace the logits at some indices; -inf rules a candidate out."""
        if self.logits is self._row:
            self._edits.append((indices, self.logits[indices]))
        self.logits[indices] = np.minimum(logits, MAX_LOGIT)
        self.is_sorted = False
        self._folded = None

    def set_logits(self, logits: Logits) -> None:
        """Replace all logits by an array, which the candidates own from now on."""
        self.logits = logits
        self.is_sorted = False
        self._folded = None

    def keep_only(self, token: int) -> None:
        """Replace all candidates by one token, which need not have been one."""
        self.ids = np.array([token])
        self.logits = np.ones(1, np.float32)
        self.n_masked = 0

    def divide(self, divisor: float) -> None:
        max_logit = self.max_logit()
        self._folded = None
        if max_logit == -math.inf:
            return
        if 1 / MAX_LOGIT < divisor < MAX_LOGIT and abs(max_logit) / divisor < MAX_LOGIT:
            out = self.workspace.scaled[: len(self)] if self.ids is None else None
            self.logits = np.divide(self.logits, np.float32(divisor), out=out)
        else:  # would overflow: only the distances to the largest logit matter
            self.logits = ((self.logits - np.float64(max_logit)) / divisor).astype(np.float32)

    def softmax(self) -> Softmax:
        """Compute the probabilities; the next call overwrites those of a full row. Raises InvalidRequest if all
        candidates are ruled out, ArithmeticError if the largest logit is no finite number."""
        logits = self.logits
        max_logit = np.float32(self.max_logit())
        check_max_logit(float(max_logit))
        if max_logit == np.inf:
            raise nan_logits()
        if self.ids is None:
            n = logits.size
            shifted = np.subtract(logits, max_logit, out=self.workspace.shifted[:n])
            return Softmax(shifted, np.exp(shifted, out=self.workspace.weights[:n]))
        shifted = logits - max_logit
        if shifted.size > MAX_TOP_K:
            return Softmax(shifted, np.exp(shifted, dtype=np.float64))
        return Softmax(shifted, np.fromiter(map(math.exp, shifted.tolist()), np.float64, shifted.size))

    def raw_logit(self, token: int) -> float:
        """The logit that the model gave a token, before any change."""
        for tokens, logits in self._edits:
            indices = np.equal(tokens, token).nonzero()[0]
            if indices.size:
                return float(logits[indices[0]])
        return float(self._row[token])

    def _take(self, indices: Indices) -> None:
        self.ids = indices if self.ids is None else self.ids[indices]
        self.logits = self.logits[indices]
        self.is_sorted = False

    def _folded_row(self) -> FoldedRow | None:
        if self.ids is not None:
            return None
        if self._folded is None and self.logits.size >= MIN_FOLDED_SIZE:
            self._folded = FoldedRow(self.logits, self.workspace.maxima)
        return self._folded
