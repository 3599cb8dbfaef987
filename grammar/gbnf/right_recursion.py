"""Rules that repeat themselves by going on with themselves: `ws ::= [ ] ws | ""` is written as `ws ::= [ ]*`.

The language stays the same, and the rule refers to itself no longer: it can be matched as a whole by a lexer.
"""

from collections.abc import Iterable
from collections.abc import Sequence as Items

from grammar.gbnf.syntax_tree import (
    Alternatives,
    Expression,
    Grammar,
    Literal,
    Reference,
    Repetition,
    Rule,
    Sequence,
    references,
)

_NOTHING = Alternatives(())


def eliminate_right_recursion(grammar: Grammar) -> Grammar:
    """The grammar with all rules as loops that refer to themselves at their end, and nowhere else."""
    return Grammar({name: _to_loop(rule) for name, rule in grammar.rules.items()}, grammar.text)


def _to_loop(rule: Rule) -> Rule:
    if not _refers(rule.body, rule.name):
        return rule
    again, done = _split(rule.body, rule.name)
    if _refers(again, rule.name) or _refers(done, rule.name):
        return rule
    return Rule(rule.name, Sequence((Repetition(again, 0, None), done)), rule.offset)


def _split(body: Expression, name: str) -> tuple[Expression, Expression]:
    """What comes before a reference to a rule at the end of an expression, and the expression without any."""
    match body:
        case Reference(other) if other == name:
            return Literal(""), _NOTHING
        case Alternatives(options):
            pairs = [_split(option, name) for option in options]
            return _either(again for again, _ in pairs), _either(done for _, done in pairs)
        case Sequence((*before, last)):
            again, done = _split(last, name)
            return _followed(before, again), _followed(before, done)
        case Repetition(item, 0, 1):
            again, done = _split(item, name)
            return again, _either((done, Literal("")))
    return _NOTHING, body


def _either(options: Iterable[Expression]) -> Expression:
    return Alternatives(tuple(option for option in options if option != _NOTHING))


def _followed(before: Items[Expression], last: Expression) -> Expression:
    return _NOTHING if last == _NOTHING else Sequence((*before, last))


def _refers(expression: Expression, name: str) -> bool:
    return any(reference.name == name for reference in references(expression))
