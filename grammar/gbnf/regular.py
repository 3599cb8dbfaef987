"""What is known of the lexemes of a grammar."""

from collections.abc import Container, Mapping

from grammar.gbnf.alphabet import Alphabet
from grammar.gbnf.automaton import Positions
from grammar.gbnf.checks import may_be_empty
from grammar.gbnf.lexemes import Lexeme
from grammar.gbnf.syntax_tree import Alternatives, Expression, Reference, Repetition, Rule, Sequence
from grammar.limits import Deadline


class Regular:
    """Answers questions about lexemes, each once."""

    def __init__(self, rules: Mapping[str, Rule], empty_rules: Container[str], deadline: Deadline) -> None:
        """`empty_rules` are those that match the empty text."""
        self._rules = rules
        self._empty_rules = empty_rules
        self._deadline = deadline
        self.alphabet = Alphabet(rules)
        self._positions: dict[Lexeme, Positions] = {}

    def may_be_empty(self, expression: Expression) -> bool:
        """Whether an expression matches the empty text."""
        return may_be_empty(expression, self._empty_rules)

    def is_repetition(self, expression: Expression) -> bool:
        """Whether an expression matches any number of something, from zero or one on. Then what it matches twice in a
        row, it matches at once."""
        match expression:
            case Repetition(_, least, None):
                return least <= 1
            case Reference(name):
                return self.is_repetition(self._rules[name].body)
            case Sequence((only,)) | Alternatives((only,)):
                return self.is_repetition(only)
        return False

    def positions(self, lexeme: Lexeme) -> Positions:
        """The characters of a lexeme."""
        known = self._positions.get(lexeme)
        if known is None:
            self._deadline.check()
            known = self._positions[lexeme] = Positions(lexeme.expression, self._rules, self.alphabet)
        return known
