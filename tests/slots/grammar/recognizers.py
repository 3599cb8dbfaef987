"""Recognizers of small languages, made of functions: recursive descent that follows all alternatives at once."""

from collections.abc import Callable, Set

Recognizer = Callable[[str, int], Set[int]]
"""Recognizers: functions from a text and a start index to all indices at which a match may end."""


def recognizes(recognizer: Recognizer, text: str) -> bool:
    """Whether a text as a whole is what is looked for."""
    return len(text) in recognizer(text, 0)


def word(*words: str) -> Recognizer:
    """One of some words."""
    return lambda text, start: {start + len(each) for each in words if text.startswith(each, start)}


def character(is_member: Callable[[str], bool]) -> Recognizer:
    """A character of a class."""
    return lambda text, start: {start + 1} if start < len(text) and is_member(text[start]) else set()


def either(*choices: Recognizer) -> Recognizer:
    """One of several."""
    return lambda text, start: {end for choice in choices for end in choice(text, start)}


def row(*parts: Recognizer) -> Recognizer:
    """One after the other."""

    def recognize(text: str, start: int) -> Set[int]:
        ends: Set[int] = {start}
        for part in parts:
            ends = {end for place in ends for end in part(text, place)}
        return ends

    return recognize


def maybe(part: Recognizer) -> Recognizer:
    """Something or nothing."""
    return lambda text, start: {start} | part(text, start)


def some(part: Recognizer) -> Recognizer:
    """Once or more."""

    def recognize(text: str, start: int) -> Set[int]:
        ends: set[int] = set()
        fresh = part(text, start)
        while fresh:
            ends |= fresh
            fresh = {end for place in fresh for end in part(text, place)} - ends
        return ends

    return recognize


def many(part: Recognizer) -> Recognizer:
    """Any number of times."""
    return maybe(some(part))


def separated(part: Recognizer, separator: Recognizer) -> Recognizer:
    """Once or more, with something in between."""
    return row(part, many(row(separator, part)))


def later(name: Callable[[], Recognizer]) -> Recognizer:
    """A recognizer that is not there yet, for those that contain themselves."""

    def recognize(text: str, start: int) -> Set[int]:
        return name()(text, start)

    return recognize
