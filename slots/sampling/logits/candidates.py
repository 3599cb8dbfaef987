"""The tokens that may still be chosen."""

import math
from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt

from slots.errors import InvalidRequest
from slots.llama import Logits
from slots.sampling.logits import bitmask
from slots.sampling.logits.bitmask import Words
from slots.sampling.logits.search import MIN_FOLDED_SIZE, Floats, argsort_descending, indices_at_least, top_k_indices
from slots.sampling.logits.workspace import Floats32, FoldedRow, Indices, Workspace

MAX_LOGIT = 1e30
"""Keeps extreme penalties and biases from turning into infinities, on which a softmax is undefined."""
_NEGLIGIBLE = np.float32(-200.0)
"""The exponential of which is 0 in 32 bits, unlike that of minus infinity a number that can be multiplied with 0."""
EXTRA_CANDIDATES = 32
"""Logits to look at, beyond twice as many as are asked for, before all of the row is gone through."""


def no_token_left() -> InvalidRequest:
    """The error for a request whose options rule every token out."""
    return InvalidRequest("logit_bias", "expected a token that is not ruled out, got none")


def nan_logits() -> ArithmeticError:
    """The error for a row that no token can be chosen from, whatever the options are."""
    return ArithmeticError("the model computed logits that are not numbers")


def check_max_logit(peak: float) -> None:
    """Raises an error if the largest logit is one of a token that cannot be chosen."""
    if not peak > -np.inf:
        raise no_token_left() if peak == -np.inf else nan_logits()


class Softmax:
    """The probabilities of candidates, which are their weights' shares of the total."""

    __slots__ = ("_shifted", "weights")

    def __init__(self, shifted: Floats32, weights: Floats) -> None:
        """`shifted` are the logits less the largest one, `weights` their exponentials; both of shape (candidates,)."""
        self._shifted = shifted
        self.weights = weights

    def total(self) -> float:
        """The sum of the weights."""
        return float(np.add.reduce(self.weights))

    def mean_shifted(self) -> float:
        """How far below the largest logit a drawn one is on average: the log of the total less the entropy, in nats."""
        np.maximum(self._shifted, _NEGLIGIBLE, out=self._shifted)
        return float(self.weights.dot(self._shifted)) / self.total()

    def entropy(self) -> float:
        """In nats."""
        return math.log(self.total()) - self.mean_shifted()

    def distances(self, shifted: float) -> Floats32:
        """How far each logit is from one that is so much below the largest. To be called last: it is computed in place
        of what the mean and the entropy are computed from."""
        np.subtract(self._shifted, np.float32(shifted), out=self._shifted)
        return np.abs(self._shifted, out=self._shifted)


class Candidates:
    """Tokens with their logits, which the samplers change and take away one after the other.

    At first they are the whole row that the model computed, where the place of a logit is its token; the first
    sampler that takes tokens away leaves arrays of the others. The row is read, and changed at single places only.
    """

    __slots__ = ("_allowed", "_columns", "_edits", "_row", "ids", "is_sorted", "logits", "n_masked", "workspace")

    def __init__(self, row: Logits, workspace: Workspace) -> None:
        """`row` is float32 of shape (vocabulary,)."""
        self.logits = row
        """Shape (candidates,)."""
        self.workspace = workspace
        self.ids: Indices | None = None
        """The tokens, shape (candidates,); None while these are the whole row."""
        self.is_sorted = False
        """Whether the largest logit comes first, and the lower token among equals."""
        self.n_masked = 0
        """Candidates beside those in the arrays, with a logit of minus infinity: samplers that go by the number of
        candidates count them."""
        self._row = row
        self._edits: list[tuple[Indices | Sequence[int], Logits | Sequence[float]]] = []
        self._columns: FoldedRow | None = None
        self._allowed: Words | None = None

    def __len__(self) -> int:
        return self.logits.size

    @property
    def n_total(self) -> int:
        """The number of candidates, with those that are ruled out."""
        return len(self) + self.n_masked

    def token(self, place: int) -> int:
        """The token at a place."""
        return place if self.ids is None else int(self.ids[place])

    def max_logit(self) -> float:
        """The largest logit."""
        if self.is_sorted:
            return float(self.logits[0])
        columns = self._whole_columns()
        return columns.max() if columns else float(np.maximum.reduce(self.logits))

    def argmax(self) -> int:
        """The place of the largest logit, of the lowest token among equals."""
        if self.ids is not None:
            self.sort()
            return 0
        place = int(self.logits.argmax())
        if self._allowed is None or bitmask.contains(self._allowed, np.array([place]))[0]:
            return place
        self.apply_mask()
        return int(self.logits.argmax())

    def set_mask(self, allowed: Words) -> None:
        """Take all tokens of a whole row away but those of a set, by and by: what looks for the largest logits skips
        the others. `settle` is to be called before anything else."""
        self._allowed = allowed

    def apply_mask(self) -> None:
        """Rule out all tokens at once that a set, given to `restrict`, does not have."""
        if self._allowed is not None:
            is_missing = bitmask.complement(self._allowed, self.workspace.mask[: len(self)])
            np.copyto(self.logits, -np.inf, where=is_missing)
            self._allowed = self._columns = None

    def top_k(self, n: int) -> Indices:
        """The places of the n largest logits, largest first, the lower place first among equals."""
        if self._allowed is not None:
            places = top_k_indices(self.logits, 2 * n + EXTRA_CANDIDATES, self.workspace, self._columns)
            places = places[bitmask.contains(self._allowed, places)]
            if places.size >= n:
                return places[:n]
            self.apply_mask()
        places = top_k_indices(self.logits, n, self.workspace, self._columns)
        if places.size < min(n, len(self)):
            raise nan_logits()
        return places

    def sort(self) -> Self:
        """Put the largest logit first, and the lower token among equals."""
        if self.is_sorted:
            return self
        if self.ids is not None:  # in any order
            self._take(self.ids.argsort(kind="stable"))
        self._take(argsort_descending(self.logits))
        self.is_sorted = True
        return self

    def keep(self, places: Indices) -> None:
        """Take away all but the candidates at these places, which become the new order."""
        self._take(places)
        self.n_masked = 0

    def keep_but_count(self, places: Indices) -> None:
        """As `keep`, but the others still count."""
        n_before = self.n_total
        self._take(places)
        self.n_masked = n_before - len(self)

    def keep_first(self, n: int) -> None:
        """Take away all but the n candidates with the largest logits."""
        if self.ids is None or not self.is_sorted:  # a whole row never is
            self.keep_largest(n)
        else:
            n_left = min(n, self.n_total)
            self.ids, self.logits = self.ids[:n], self.logits[:n]
            self.n_masked = n_left - len(self)

    def keep_largest(self, n: int) -> None:
        """Take away all but the n candidates with the largest logits, and sort those."""
        if self.ids is None:
            self.keep(self.top_k(n))
            self.is_sorted = True
        else:
            self.sort()
            self.keep_first(n)

    def keep_from(self, bound: float, min_keep: int = 1) -> None:
        """Take away the candidates with a logit below `bound`, but leave `min_keep` of them, or all there are."""
        if self.is_sorted:
            n = int((-self.logits).searchsorted(np.float32(-bound), side="right"))
            self.keep_first(max(n, min_keep))
            return
        places = indices_at_least(self.logits, bound, self.workspace, self._whole_columns())
        if places.size < min_keep:
            self.keep_largest(min_keep)
        elif places.size < self.n_total:
            self.keep(places)

    def keep_from_but_count(self, bound: float) -> None:
        """As `keep_from`, but the others still count."""
        n_before = self.n_total
        self.keep_from(bound)
        self.n_masked = n_before - len(self)

    def find(self, tokens: Indices) -> tuple[Indices, Indices | slice]:
        """Where tokens are. Returns the places of those that are candidates, and which of `tokens` these are."""
        if self.ids is None:
            return tokens, slice(None)
        order = self.ids.argsort()
        at = self.ids.searchsorted(tokens, sorter=order)
        places = order[np.minimum(at, self.ids.size - 1)]
        which = (self.ids[places] == tokens).nonzero()[0]
        return places[which], which

    def set_logits_at(self, places: Indices, logits: npt.NDArray[np.float64]) -> None:
        """Give the candidates at some places other logits; -inf rules one out."""
        if self.logits is self._row:
            self._edits.append((places, self.logits[places]))
        self.logits[places] = np.minimum(logits, MAX_LOGIT)
        self.is_sorted = False
        self._columns = None

    def add_to_logits(self, by: Sequence[tuple[int, float]]) -> None:
        """As `change`, of a whole row: add to the logits of some tokens, number by number, which is quicker for few."""
        logits = self.logits
        before = [logits.item(token) for token, _ in by]
        if logits is self._row:
            self._edits.append(([token for token, _ in by], before))
        for logit, (token, more) in zip(before, by, strict=True):
            logits[token] = min(logit + more, MAX_LOGIT)
        self.is_sorted = False
        self._columns = None

    def set_logits(self, logits: Logits) -> None:
        """Give all candidates other logits, which are the candidates' from now on."""
        self.logits = logits
        self.is_sorted = False
        self._columns = None

    def keep_only(self, token: int) -> None:
        """Take all candidates away but for one token, which need not have been one."""
        self.ids = np.array([token])
        self.logits = np.ones(1, np.float32)
        self.n_masked = 0

    def divide(self, by: float) -> None:
        """Divide all logits by a positive number."""
        peak = self.max_logit()
        self._columns = None
        if peak == -math.inf:
            return
        if 1 / MAX_LOGIT < by < MAX_LOGIT and abs(peak) / by < MAX_LOGIT:
            out = self.workspace.scaled[: len(self)] if self.ids is None else None
            self.logits = np.divide(self.logits, np.float32(by), out=out)
        else:  # too large to be told apart: what matters is how far they are below the largest
            self.logits = ((self.logits - np.float64(peak)) / by).astype(np.float32)

    def softmax(self) -> Softmax:
        """The probabilities of the candidates; those of a whole row live in the workspace until the next call.

        Raises InvalidRequest when none of them can be chosen.
        """
        logits = self.logits
        peak = np.float32(self.max_logit())
        check_max_logit(float(peak))
        if self.ids is None:
            n = logits.size
            shifted = np.subtract(logits, peak, out=self.workspace.shifted[:n])
            return Softmax(shifted, np.exp(shifted, out=self.workspace.weights[:n]))
        shifted = logits - peak
        return Softmax(shifted, np.exp(shifted, dtype=np.float64))

    def _take(self, places: Indices) -> None:
        self.ids = places if self.ids is None else self.ids[places]
        self.logits = self.logits[places]
        self._allowed = None
        self.is_sorted = False

    def _whole_columns(self) -> FoldedRow | None:
        """The columns of a row that is still whole, and long enough."""
        if self.ids is not None:
            return None
        if self._columns is None and self.logits.size >= MIN_FOLDED_SIZE:
            self._columns = FoldedRow(self.logits, self.workspace.maxima)
        return self._columns

    def raw_logit(self, token: int) -> float:
        """The logit that the model gave a token, before any change."""
        for places, logits in self._edits:
            at = np.equal(places, token).nonzero()[0]
            if at.size:
                return float(logits[at[0]])
        return float(self._row[token])
