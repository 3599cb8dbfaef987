"""Where a JSON object ends in a text that is still being written."""

import re

_NOTABLE = re.compile(r'["\\{}\[\]]')


class JsonEnd:
    """Follows one JSON object from its first brace on."""

    def __init__(self) -> None:
        self._depth = 0
        self._is_in_string = False
        self._is_escaped = False

    def find(self, text: str) -> int | None:
        """Returns how many characters of `text`, which goes on where the last one ended, belong to the object; None if
        all do and it is still open."""
        position = 0
        while position < len(text):
            if self._is_escaped:
                self._is_escaped = False
                position += 1
                continue
            found = _NOTABLE.search(text, position)
            if found is None:
                return None
            position = found.end()
            self._note(found[0])
            if self._depth == 0:
                return position
        return None

    def _note(self, character: str) -> None:
        if self._is_in_string:
            self._is_escaped = character == "\\"
            self._is_in_string = character != '"'
        elif character == '"':
            self._is_in_string = True
        elif character in "{[":
            self._depth += 1
        elif character in "}]":
            self._depth -= 1
