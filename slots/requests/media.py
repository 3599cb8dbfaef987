"""Media in prompts: a picture or a sound takes cells of the KV cache, and each cell stands among the tokens of a prompt
as a pseudo-token, a negative number that was made of the file's content.

Prompts with the same picture in the same place therefore have the same numbers there, and prefixes are found, shared,
parked and saved as those of texts are. A pseudo-token also says of itself, in its two lowest bits, what has to be known
of a sequence without its request:

    -1 - (hash | is_inner << 1 | is_still)

    is_inner    the chunk must not be cut before this cell: its cells attend to later ones, or have the same position
    is_still    the next position is the same after this cell: with M-RoPE, a chunk has fewer positions than cells
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import shake_128

import numpy as np
import numpy.typing as npt

Embeddings = npt.NDArray[np.float32]
"""Of shape (cells, numbers of an input embedding)."""

_STILL, _INNER = 1, 2
MIN_PSEUDO_TOKEN = -(2**62)
"""Lower numbers are free for what else stands among tokens."""


@dataclass(slots=True, eq=False)
class MediaChunk:
    """A part of a picture or sound that the model takes as one run of embeddings."""

    tokens: tuple[int, ...]
    """Pseudo-tokens, one for each cell."""
    n_positions: int
    """By how many positions the text goes on after it."""
    is_causal: bool
    """Whether a cell attends to earlier ones only. Otherwise all of them have to be computed in one ubatch."""
    rope_positions: npt.NDArray[np.int32] | None = None
    """With M-RoPE: the positions of the cells if the first one is 0, of shape (4, cells)."""
    embeddings: Embeddings | None = None
    """None until it is encoded."""

    @property
    def is_whole(self) -> bool:
        """Whether it must not be cut."""
        return not self.is_causal or self.rope_positions is not None


def pseudo_tokens(content: bytes, n_cells: int, n_positions: int, *, is_whole: bool) -> tuple[int, ...]:
    """Returns the pseudo-tokens of a chunk. `content` is a digest of all that its embeddings depend on, with the number
    of the chunk. It may have at most as many positions as cells; one that `is_whole` must not be cut."""
    digest = shake_128(content).digest(8 * n_cells)
    hashes = np.frombuffer(digest, np.int64) & np.int64(0x3FFF_FFFF_FFFF_FFFC)
    hashes[n_positions:] |= _STILL
    if is_whole:
        hashes[1:] |= _INNER
    return tuple((-1 - hashes).tolist())


def is_media(token: int) -> bool:
    return token < 0


def cut_before(tokens: Sequence[int], n_tokens: int) -> int:
    """Returns the largest number of first tokens, up to `n_tokens`, that leaves media whole which have to stay so."""
    while 0 < n_tokens < len(tokens) and _is_inner(tokens[n_tokens]):
        n_tokens -= 1
    return n_tokens


def widen(tokens: Sequence[int], start: int, end: int) -> tuple[int, int]:
    """Returns a range of tokens with the media at its ends taken in whole, also those that could be cut."""
    while _is_within_media(tokens, start):
        start -= 1
    while _is_within_media(tokens, end):
        end += 1
    return start, end


def _is_within_media(tokens: Sequence[int], index: int) -> bool:
    return 0 < index < len(tokens) and is_media(tokens[index]) and is_media(tokens[index - 1])


def count_positions(tokens: Sequence[int], n_tokens: int) -> int:
    """Returns the position of the token after the first `n_tokens`."""
    return n_tokens - sum(token < 0 and ~token & _STILL for token in tokens[:n_tokens])


def text_tokens(tokens: Sequence[int]) -> Sequence[int]:
    """Returns the tokens without those of media."""
    return [token for token in tokens if token >= 0] if tokens and min(tokens) < 0 else tokens


def _is_inner(token: int) -> bool:
    return token < 0 and ~token & _INNER != 0


@dataclass(slots=True, eq=False)
class RequestMedia:
    """The media of a prompt."""

    chunks: tuple[MediaChunk, ...]
    _cells: dict[int, tuple[MediaChunk, int]] = field(init=False)

    def __post_init__(self) -> None:
        self._cells = {token: (chunk, index) for chunk in self.chunks for index, token in enumerate(chunk.tokens)}

    def __contains__(self, token: int) -> bool:
        return token in self._cells

    def find(self, token: int) -> tuple[MediaChunk, int]:
        """Returns the chunk of a pseudo-token, and its index there."""
        return self._cells[token]

    def next_share(self, tokens: Sequence[int], start: int, n_tokens: int) -> int:
        """Returns how many of the `n_tokens` tokens from `start` on one batch can hold: text up to the next media, or
        the rest of one chunk. A chunk that must stay whole is more than `n_tokens` or nothing."""
        if is_media(tokens[start]):
            chunk, index = self.find(tokens[start])
            n_left = len(chunk.tokens) - index
            return n_left if not chunk.is_causal else min(n_left, n_tokens)
        return next((n for n, token in enumerate(tokens[start : start + n_tokens]) if is_media(token)), n_tokens)
