"""Token bytes: the texts of a vocabulary's tokens, in one array."""

from collections.abc import Iterator, Sequence
from typing import Self, overload

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.uint32]


class TokenBytes(Sequence[bytes]):
    """The bytes of all tokens, one after the other: as Python objects those of a large vocabulary take ten times the
    memory, and seconds to make. Immutable."""

    def __init__(self, data: Bytes, ends: Offsets) -> None:
        """`data` are the bytes of all tokens, `ends` where each ends in it, of shape (tokens,)."""
        self.data = data
        self.ends = ends

    @classmethod
    def join(cls, pieces: Sequence[bytes]) -> Self:
        """Returns the same texts in one array."""
        lengths = np.fromiter(map(len, pieces), np.uint32, len(pieces))
        return cls(np.frombuffer(b"".join(pieces), np.uint8), lengths.cumsum(dtype=np.uint32))

    @property
    def starts(self) -> Offsets:
        """Where each token starts in `data`."""
        return np.concatenate(([np.uint32(0)], self.ends[:-1])) if len(self) else self.ends

    @property
    def lengths(self) -> Offsets:
        return np.diff(self.ends, prepend=np.uint32(0))

    @property
    def n_bytes(self) -> int:
        """Size in memory."""
        return self.data.nbytes + self.ends.nbytes

    def __len__(self) -> int:
        return self.ends.size

    @overload
    def __getitem__(self, token: int) -> bytes: ...
    @overload
    def __getitem__(self, token: slice) -> list[bytes]: ...
    def __getitem__(self, token: int | slice) -> bytes | list[bytes]:
        if isinstance(token, slice):
            return [self[each] for each in range(*token.indices(len(self)))]
        if not 0 <= token < len(self):
            raise IndexError(f"token {token} is not in the vocabulary")
        start = self.ends[token - 1] if token else 0
        return self.data[start : self.ends[token]].tobytes()

    def __iter__(self) -> Iterator[bytes]:
        data, start = self.data.tobytes(), 0
        for end in self.ends.tolist():
            yield data[start:end]
            start = end

    def beginning_with(self, byte: int) -> npt.NDArray[np.bool_]:
        """Returns for each token whether it has this first byte."""
        first = np.append(self.data, np.uint8(0))[self.starts]
        is_first: npt.NDArray[np.bool_] = (first == byte) & (self.lengths > 0)
        return is_first

    def find(self, text: bytes) -> list[int]:
        """Returns the tokens with exactly this text, ascending."""
        candidates = (self.lengths == len(text)).nonzero()[0]
        starts = self.starts[candidates]
        for offset, byte in enumerate(text):
            is_equal = self.data[starts + np.uint32(offset)] == byte
            candidates, starts = candidates[is_equal], starts[is_equal]
        tokens: list[int] = candidates.tolist()
        return tokens
