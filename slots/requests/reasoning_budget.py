"""ReasoningBudget: after how many tokens the thoughts of an answer are ended, and with which tokens."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReasoningBudget:
    n_tokens: int
    """Between the tag that begins the thoughts and the tokens that end them."""
    start: bytes
    """Begins the thoughts, which are the first part of an answer; white space may precede it."""
    end: bytes
    """Ends the thoughts."""
    closing: tuple[int, ...]
    """The tokens that are written when the budget is spent: a message, if there is one, and the end."""
    is_open: bool
    """Whether the prompt ends with the start."""
