"""Repetition, frequency and presence penalties for recent tokens."""

from collections import deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from slots.llama import Logits
from slots.requests.sampling_params import SamplingParams
from slots.sampling.logits.candidates import MAX_LOGIT, Candidates
from slots.sampling.logits.workspace import Floats64, Indices
from slots.sampling.sampler_context import LogitsProcessor, SamplerInputs


class RecentTokens:
    """A window of the last tokens and how often each occurs in it, updated with every token."""

    def __init__(self, size: int, tokens: Sequence[int], ignored: int | None = None) -> None:
        """`ignored` is a token that takes space in the window but is not counted."""
        self._size = size
        self._ignored = ignored
        self._window: deque[int] = deque()
        self._counts: dict[int, int] = {}
        self._indices: dict[int, int] = {}
        """Of the tokens in `_distinct`."""
        self._distinct = np.empty(64, np.intp)
        for token in tokens[max(len(tokens) - size, 0) :]:
            self.append(token)

    def append(self, token: int) -> None:
        """Add the next token; the oldest one leaves a full window."""
        if self._size == 0:
            return
        if len(self._window) == self._size:
            self._remove(self._window.popleft())
        self._window.append(token)
        if token == self._ignored:
            return
        count = self._counts.get(token, 0)
        self._counts[token] = count + 1
        if count == 0:
            index = self._indices[token] = len(self._indices)
            if index == self._distinct.size:
                self._distinct = np.resize(self._distinct, 2 * index)
            self._distinct[index] = token

    def _remove(self, token: int) -> None:
        if token == self._ignored:
            return
        self._counts[token] -= 1
        if self._counts[token] == 0:
            del self._counts[token]
            last = int(self._distinct[len(self._indices) - 1])
            index = self._indices[last] = self._indices[token]
            self._distinct[index] = last
            del self._indices[token]

    def distinct(self) -> npt.NDArray[np.intp]:
        """The distinct tokens, shape (distinct tokens,), unordered. A view that the next `append` changes."""
        return self._distinct[: len(self._indices)]

    def counts(self) -> npt.NDArray[np.float64]:
        """How often each of the distinct tokens occurs, in the order of `distinct`."""
        tokens = self.distinct().tolist()
        return np.fromiter(map(self._counts.__getitem__, tokens), np.float64, len(tokens))


class Penalties:
    """Repetition penalty (Keskar et al., CTRL, 2019), frequency and presence penalty (OpenAI's definition).

    As in llama.cpp, positive logits are divided by the repetition penalty and others multiplied with it: the paper
    only divides, which would make tokens with negative logits more likely.
    """

    def __init__(self, params: SamplingParams, prompt: Sequence[int], n_ctx: int, newline: int | None) -> None:
        """`newline` is the token that is exempt unless the options say otherwise."""
        self.repeat = params.repeat_penalty
        self.frequency = params.frequency_penalty
        self.presence = params.presence_penalty
        size = n_ctx if params.repeat_last_n < 0 else params.repeat_last_n
        only_lowers = self.repeat >= 1 and self.frequency >= 0 and self.presence >= 0
        self.max_lowered = size if only_lowers else None
        self.recent = RecentTokens(size, prompt, None if params.penalize_nl else newline)
        self.accept = self.recent.append

    @property
    def needs_counts(self) -> bool:
        return self.frequency != 0 or self.presence != 0

    def __call__(self, candidates: Candidates) -> None:
        indices, which = candidates.find(self.recent.distinct().copy())
        logits = candidates.logits[indices]
        penalized: Floats64 = np.where(logits <= 0, self.repeat, 1 / self.repeat) * logits
        if self.needs_counts:
            penalized -= self.recent.counts()[which] * self.frequency + self.presence
        candidates.set_logits_at(indices, penalized)


class BatchedPenalties:
    """The penalties of several rows, computed together. A row may have none."""

    def __init__(self, penalties: Sequence[Penalties | None]) -> None:
        rows = [row for row, penalty in enumerate(penalties) if penalty]
        present = [penalty for penalty in penalties if penalty]

        def by_row(values: Sequence[float]) -> Floats64:
            array = np.ones(len(penalties))
            array[rows] = values
            return array

        self._rows: Indices = np.array(rows, np.intp)
        self._recent = [penalty.recent for penalty in present]
        self._repeat = by_row([penalty.repeat for penalty in present])
        self._inverse = 1 / self._repeat
        self._frequency = by_row([penalty.frequency for penalty in present])
        self._presence = by_row([penalty.presence for penalty in present])
        self._needs_counts = any(penalty.needs_counts for penalty in present)

    def __bool__(self) -> bool:
        return bool(self._recent)

    def recent_tokens(self) -> tuple[Indices, Indices]:
        """Return the rows and tokens to penalize, both of shape (tokens,), by row. Requires a row with penalties."""
        tokens = [recent.distinct() for recent in self._recent]
        return np.repeat(self._rows, [array.size for array in tokens]), np.concatenate(tokens)

    def apply(self, flat: Logits, indices: Indices, rows: Indices) -> None:
        """Change the logits at `indices` of a flat array: those of `recent_tokens`, in their order, which belong to
        `rows`. Both have the shape (tokens,)."""
        logits = flat.take(indices)
        penalized = np.where(logits <= 0, self._repeat[rows], self._inverse[rows]) * logits
        if self._needs_counts:
            counts = np.concatenate([recent.counts() for recent in self._recent])
            penalized -= counts * self._frequency[rows] + self._presence[rows]
        flat[indices] = np.minimum(penalized, MAX_LOGIT)

    def apply_to_rows(self, logits: Logits, logits_rows: Indices) -> None:
        """Change all rows; `logits_rows` are their indices in `logits`, shape (rows,)."""
        flat = logits.view()
        flat.shape = (logits.size,)  # raises, instead of copying, if the rows are not contiguous
        rows, tokens = self.recent_tokens()
        self.apply(flat, (logits_rows * logits.shape[1])[rows] + tokens, rows)


def make_penalties(inputs: SamplerInputs) -> LogitsProcessor:
    return Penalties(inputs.params, inputs.prompt, inputs.context.n_ctx, inputs.context.newline)
