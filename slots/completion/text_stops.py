"""Text stops: where the text of a generation ends by itself, as bytes, which need not be complete characters."""

import codecs
from collections.abc import Sequence

_SPACE, _TAB, _NEW_LINE = b" \t\n"


class StopStrings:
    """Finds stop strings in a text that arrives in pieces.

    The stop string that is complete first matches, and among those that are complete at the same byte the longest: the
    result does not depend on how the text was cut into tokens.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        # Half of a surrogate pair has an encoding, too, though no valid text has it.
        self._names = {word.encode(errors="surrogatepass"): word for word in stop}
        self._words = tuple(self._names)
        self._first_bytes = frozenset(word[0] for word in self._words)
        self._max_length = max(map(len, self._words), default=0)
        self._buffer = b""
        self.match = ""

    def feed(self, data: bytes) -> bytes:
        """Add bytes; returns what can be emitted: nothing that is, or may become, part of a stop string."""
        if not self._buffer and self._first_bytes.isdisjoint(data):
            return data  # nearly always
        self._buffer += data
        matches = [(at + len(word), at, word) for word in self._words if (at := self._buffer.find(word)) >= 0]
        if matches:
            _, at, word = min(matches)
            self.match = self._names[word]
            emitted, self._buffer = self._buffer[:at], b""
            return emitted
        end = len(self._buffer) - self._partial_match_length()
        emitted, self._buffer = self._buffer[:end], self._buffer[end:]
        return emitted

    def flush(self) -> bytes:
        emitted, self._buffer = self._buffer, b""
        return emitted

    def _partial_match_length(self) -> int:
        for n in range(min(self._max_length - 1, len(self._buffer)), 0, -1):
            end = self._buffer[-n:]
            if any(word.startswith(end) for word in self._words):
                return n
        return 0


class IndentStop:
    """Finds the first line, except for the very first, that begins with too few spaces and tabs."""

    def __init__(self, min_indent: int) -> None:
        self._min_indent = min_indent
        self._n_indent: int | None = None
        """Spaces and tabs so far, in the indentation of a line; None elsewhere."""
        self.is_hit = False

    def feed(self, data: bytes) -> bytes:
        """Returns the bytes, cut after the indentation of a line that has too little of it."""
        for at, byte in enumerate(data):
            if self._n_indent is not None and byte in (_SPACE, _TAB):
                self._n_indent += 1
            elif self._n_indent is not None and self._n_indent < self._min_indent:
                self.is_hit = True
                return data[:at]
            else:
                self._n_indent = 0 if byte == _NEW_LINE else None
        return data


class TextStops:
    """Everything in a text that may end it: stop strings, and a line with too little indentation."""

    def __init__(self, stop: Sequence[str], n_indent: int = 0) -> None:
        """`n_indent` is the minimum number of spaces and tabs of every line but the first."""
        self._stop_strings = StopStrings(stop)
        self._indent_stop = IndentStop(n_indent) if n_indent else None

    @property
    def stopping_word(self) -> str:
        return self._stop_strings.match

    @property
    def hit_indent_stop(self) -> bool:
        return self._indent_stop is not None and self._indent_stop.is_hit

    def feed(self, data: bytes) -> bytes:
        """Returns what is certain now to belong to the text."""
        return self._stop_strings.feed(data if self._indent_stop is None else self._indent_stop.feed(data))

    def flush(self) -> bytes:
        """Returns what was held back, after the last token; nothing after a stop string."""
        return self._stop_strings.flush()


def is_mid_character(data: bytes) -> bool:
    """Whether a text with these bytes at its end lacks the rest of a character. The last three of them decide."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(data)
    return bool(decoder.getstate()[0])
