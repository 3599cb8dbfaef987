"""How much of everything a grammar may have, so that none can stall the server or fill its memory."""

from time import monotonic

from llguidance import LLParserLimits

from grammar.errors import GrammarError

MAX_TEXT = 262_144
"""Characters of a grammar."""
MAX_GBNF_TEXT = 65_536
"""Characters of a GBNF grammar, which is not translated as fast as the others."""
MAX_DEPTH = 64
"""Groups within groups, or values within values of a schema."""
MAX_RULES = 4_096
"""Rules of a GBNF grammar."""
MAX_REPETITION = 10_000
"""The largest number in {m,n}."""
MAX_SECONDS = 2.0
"""To translate a GBNF grammar, which takes a tenth of a second for a large one."""

PARSER_LIMITS = LLParserLimits(
    max_items_in_row=20_000,
    initial_lexer_fuel=1_000_000,
    step_lexer_fuel=200_000,
    step_max_items=100_000,
    max_lexer_states=250_000,
    max_grammar_size=500_000,
    verbose_errors=False,
)
"""llguidance's own: a mask takes no more than some 20 ms, a grammar no more than some 500 MB."""


class Deadline:
    """Ends what takes too long."""

    def __init__(self, seconds: float = MAX_SECONDS) -> None:
        self._seconds = seconds
        self._end = monotonic() + seconds

    def check(self) -> None:
        """Raises GrammarError if the time is over."""
        if monotonic() > self._end:
            raise GrammarError(f"the grammar is too complex: it takes more than {self._seconds:g} s to compile")
