"""Limits of sizes and times: no grammar may stall the server or fill its memory."""

from time import monotonic
from typing import TypedDict

from grammar.errors import GrammarError

MAX_TEXT = 262_144
MAX_GBNF_TEXT = 65_536
"""Characters of a GBNF grammar, which takes longer to translate than the other kinds."""
MAX_DEPTH = 64
"""Levels of nested groups, or of nested schemas."""
MAX_RULES = 4_096
MAX_REPETITION = 10_000
"""The largest number in {m,n}."""
MAX_SECONDS = 2.0
"""To translate a GBNF grammar; a large one takes a tenth of a second."""


class ParserLimits(TypedDict):
    """llguidance's names of its own limits."""

    max_items_in_row: int
    initial_lexer_fuel: int
    step_lexer_fuel: int
    step_max_items: int
    max_lexer_states: int
    max_grammar_size: int
    verbose_errors: bool


PARSER_LIMITS = ParserLimits(
    max_items_in_row=20_000,
    initial_lexer_fuel=1_000_000,
    step_lexer_fuel=200_000,
    step_max_items=100_000,
    max_lexer_states=250_000,
    max_grammar_size=500_000,
    verbose_errors=False,
)
"""With these a mask takes at most about 20 ms, a grammar at most about 500 MB."""


class Deadline:
    """A time after which `check` raises."""

    def __init__(self, seconds: float = MAX_SECONDS) -> None:
        self._seconds = seconds
        self._end = monotonic() + seconds

    def check(self) -> None:
        if monotonic() > self._end:
            raise GrammarError(f"the grammar is too complex: it takes more than {self._seconds:g} s to compile")
