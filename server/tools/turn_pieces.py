"""What a model's turn is made of, as it comes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Content:
    """Some more of what is said to the user."""

    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Some more of the thoughts."""

    text: str


@dataclass(frozen=True, slots=True)
class CallStart:
    """A tool is called."""

    index: int
    """Counts the calls of the turn from 0."""
    call_id: str
    name: str


@dataclass(frozen=True, slots=True)
class CallArguments:
    """Some more of the JSON text of a call's arguments."""

    index: int
    text: str


Piece = Content | Reasoning | CallStart | CallArguments
