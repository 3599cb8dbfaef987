"""Detokenizer: turns the bytes of tokens into text of whole characters, without stop strings."""

import codecs
from collections.abc import Sequence


class StopStrings:
    """Finds stop strings in a text that arrives in pieces.

    The stop string that is complete first matches, and among those that are complete at the same character the longest:
    the result does not depend on how the text was cut into tokens.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = stop
        self._max_length = max(map(len, stop), default=0)
        self._buffer = ""
        self.match = ""

    def feed(self, text: str) -> str:
        """Add text; returns what can be emitted: nothing that is, or may become, part of a stop string."""
        if not self._stop:
            return text
        self._buffer += text
        matches = [(at + len(word), at, word) for word in self._stop if (at := self._buffer.find(word)) >= 0]
        if matches:
            _, at, self.match = min(matches)
            emitted, self._buffer = self._buffer[:at], ""
            return emitted
        end = len(self._buffer) - self._partial_match_length()
        emitted, self._buffer = self._buffer[:end], self._buffer[end:]
        return emitted

    def flush(self) -> str:
        emitted, self._buffer = self._buffer, ""
        return emitted

    def _partial_match_length(self) -> int:
        for n in range(min(self._max_length - 1, len(self._buffer)), 0, -1):
            end = self._buffer[-n:]
            if any(word.startswith(end) for word in self._stop):
                return n
        return 0


class IndentStop:
    """Finds the first line, except for the very first, that begins with too few spaces and tabs."""

    def __init__(self, min_indent: int) -> None:
        self._min_indent = min_indent
        self._n_indent: int | None = None
        """Spaces and tabs so far, in the indentation of a line; None elsewhere."""
        self.is_hit = False

    def feed(self, text: str) -> str:
        """Returns the text, cut after the indentation of a line that has too little of it."""
        for at, character in enumerate(text):
            if self._n_indent is not None and character in " \t":
                self._n_indent += 1
            elif self._n_indent is not None and self._n_indent < self._min_indent:
                self.is_hit = True
                return text[:at]
            else:
                self._n_indent = 0 if character == "\n" else None
        return text


class Detokenizer:
    """Holds back incomplete characters; a byte that cannot become valid turns into U+FFFD."""

    def __init__(self, stop: Sequence[str], n_indent: int = 0) -> None:
        """`n_indent` is the minimum number of spaces and tabs of every line but the first."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stop_strings = StopStrings(stop)
        self._indent_stop = IndentStop(n_indent) if n_indent else None
        self.has_new_line = False

    @property
    def stopping_word(self) -> str:
        return self._stop_strings.match

    @property
    def hit_indent_stop(self) -> bool:
        return self._indent_stop is not None and self._indent_stop.is_hit

    @property
    def is_mid_character(self) -> bool:
        return bool(self._decoder.getstate()[0])

    def feed(self, piece: bytes) -> str:
        return self._emit(self._stop_strings.feed(self._decode(piece)))

    def flush(self) -> str:
        """Returns the text that was held back, after the last token; nothing after a stop string."""
        if self._stop_strings.match:
            return ""
        text = self._stop_strings.feed("" if self.hit_indent_stop else self._decode(b"", final=True))
        return self._emit(text if self._stop_strings.match else text + self._stop_strings.flush())

    def _decode(self, piece: bytes, *, final: bool = False) -> str:
        text = self._decoder.decode(piece, final)
        return text if self._indent_stop is None else self._indent_stop.feed(text)

    def _emit(self, text: str) -> str:
        self.has_new_line = self.has_new_line or "\n" in text
        return text
