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
        self._longest = max(map(len, stop), default=0)
        self._held = ""
        self.found = ""
        """The stop string that was found, or an empty string."""

    def feed(self, text: str) -> str:
        """Take in text; returns what can be shown: nothing that is, or may become, part of a stop string."""
        if not self._stop:
            return text
        self._held += text
        matches = [(at + len(word), at, word) for word in self._stop if (at := self._held.find(word)) >= 0]
        if matches:
            _, at, self.found = min(matches)
            shown, self._held = self._held[:at], ""
            return shown
        keep = self._longest_beginning()
        shown, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return shown

    def flush(self) -> str:
        """The text that was held back; there is no more to come."""
        shown, self._held = self._held, ""
        return shown

    def _longest_beginning(self) -> int:
        """How many characters at the end of the held text begin a stop string."""
        for n in range(min(self._longest - 1, len(self._held)), 0, -1):
            end = self._held[-n:]
            if any(word.startswith(end) for word in self._stop):
                return n
        return 0


class Indentation:
    """Finds the first line, but for the very first, that begins with too few spaces and tabs."""

    def __init__(self, least: int) -> None:
        self._least = least
        self._so_far: int | None = None
        """Of a line of which nothing else is known yet."""
        self.is_too_small = False

    def feed(self, text: str) -> str:
        """Take in text; returns it, without what follows the indentation of a line that has too little of it."""
        for at, character in enumerate(text):
            if self._so_far is not None and character in " \t":
                self._so_far += 1
            elif self._so_far is not None and self._so_far < self._least:
                self.is_too_small = True
                return text[:at]
            else:
                self._so_far = 0 if character == "\n" else None
        return text


class TextAssembler:
    """Turns the pieces of generated tokens into text that can be shown.

    An incomplete character waits for its rest; a byte that can never become valid turns into U+FFFD.
    """

    def __init__(self, stop: Sequence[str], n_indent: int = 0) -> None:
        """`n_indent` is how many spaces and tabs every line but the first has to begin with."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stop = StopStrings(stop)
        self._indentation = Indentation(n_indent) if n_indent else None
        self.has_new_line = False

    @property
    def stopping_word(self) -> str:
        """The stop string that was found, or an empty string."""
        return self._stop.found

    @property
    def is_outdented(self) -> bool:
        """Whether a line began with too few spaces and tabs; the text ends there."""
        return self._indentation is not None and self._indentation.is_too_small

    @property
    def is_mid_character(self) -> bool:
        """Whether the bytes so far end within a character."""
        return bool(self._decoder.getstate()[0])

    def feed(self, piece: bytes) -> str:
        """Take in the bytes of a token; returns the text that can be shown now."""
        return self._shown(self._stop.feed(self._decoded(piece)))

    def flush(self) -> str:
        """Everything that was held back, when no more tokens come; nothing after a stop string."""
        if self._stop.found:
            return ""
        text = self._stop.feed("" if self.is_outdented else self._decoded(b"", final=True))
        return self._shown(text if self._stop.found else text + self._stop.flush())

    def _decoded(self, piece: bytes, *, final: bool = False) -> str:
        text = self._decoder.decode(piece, final)
        return text if self._indentation is None else self._indentation.feed(text)

    def _shown(self, text: str) -> str:
        self.has_new_line = self.has_new_line or "\n" in text
        return text
