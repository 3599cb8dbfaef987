"""From token pieces to text: whole characters, and nothing of a stop string."""

import codecs
from collections.abc import Sequence


class StopStrings:
    """Finds stop strings in a text that arrives in pieces.

    The match that is complete first wins, and among those that are complete at the same character the longest: the
    result does not depend on how the text was cut into tokens.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = stop
        self._max_length = max(map(len, stop), default=0)
        self._buffer = ""
        self.match = ""
        """The stop string that was found, or an empty string."""

    def feed(self, text: str) -> str:
        """Take in text; returns what can be shown: nothing that is, or may become, part of a stop string."""
        if not self._stop:
            return text
        self._buffer += text
        matches = [(at + len(word), at, word) for word in self._stop if (at := self._buffer.find(word)) >= 0]
        if matches:
            _, at, self.match = min(matches)
            shown, self._buffer = self._buffer[:at], ""
            return shown
        keep = self._partial_match_length()
        shown, self._buffer = self._buffer[: len(self._buffer) - keep], self._buffer[len(self._buffer) - keep :]
        return shown

    def flush(self) -> str:
        """The text that was held back; there is no more to come."""
        shown, self._buffer = self._buffer, ""
        return shown

    def _partial_match_length(self) -> int:
        """How many characters at the end of the held text begin a stop string."""
        for n in range(min(self._max_length - 1, len(self._buffer)), 0, -1):
            end = self._buffer[-n:]
            if any(word.startswith(end) for word in self._stop):
                return n
        return 0


class IndentStop:
    """Finds the first line, but for the very first, that begins with too few spaces and tabs."""

    def __init__(self, min_indent: int) -> None:
        self._min_indent = min_indent
        self._n_indent: int | None = None
        """Of a line of which nothing else is known yet."""
        self.is_hit = False

    def feed(self, text: str) -> str:
        """Take in text; returns it, without what follows the indentation of a line that has too little of it."""
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
    """Turns the pieces of generated tokens into text that can be shown.

    An incomplete character waits for its rest; a byte that can never become valid turns into U+FFFD.
    """

    def __init__(self, stop: Sequence[str], n_indent: int = 0) -> None:
        """`n_indent` is how many spaces and tabs every line but the first has to begin with."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stop = StopStrings(stop)
        self._indent_stop = IndentStop(n_indent) if n_indent else None
        self.has_new_line = False

    @property
    def stopping_word(self) -> str:
        """The stop string that was found, or an empty string."""
        return self._stop.match

    @property
    def hit_indent_stop(self) -> bool:
        """Whether a line began with too few spaces and tabs; the text ends there."""
        return self._indent_stop is not None and self._indent_stop.is_hit

    @property
    def is_mid_character(self) -> bool:
        """Whether the bytes so far end within a character."""
        return bool(self._decoder.getstate()[0])

    def feed(self, piece: bytes) -> str:
        """Take in the bytes of a token; returns the text that can be shown now."""
        return self._emit(self._stop.feed(self._decode(piece)))

    def flush(self) -> str:
        """Everything that was held back, when no more tokens come; nothing after a stop string."""
        if self._stop.match:
            return ""
        text = self._stop.feed("" if self.hit_indent_stop else self._decode(b"", final=True))
        return self._emit(text if self._stop.match else text + self._stop.flush())

    def _decode(self, piece: bytes, *, final: bool = False) -> str:
        text = self._decoder.decode(piece, final)
        return text if self._indent_stop is None else self._indent_stop.feed(text)

    def _emit(self, text: str) -> str:
        self.has_new_line = self.has_new_line or "\n" in text
        return text
