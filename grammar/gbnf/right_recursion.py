"""Right recursion elimination: `ws ::= [ ] ws | ""` becomes `ws ::= [ ]*`.

The language stays the same, and a rule that no longer refers to itself can be matched by a lexer.
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
    """Rewrites the rules that refer to themselves at their end, and nowhere else, as loops."""
    return Grammar({name: _to_loop(rule) for name, rule in grammar.rules.items()}, grammar.text)


def _to_loop(rule: Rule) -> Rule:
    if not _refers_to(rule.body, rule.name):
        return rule
    loop_body, end = _split(rule.body, rule.name)
    if _refers_to(loop_body, rule.name) or _refers_to(end, rule.name):
        return rule
    return Rule(rule.name, Sequence((Repetition(loop_body, 0, None), end)), rule.offset)


def _split(body: Expression, name: str) -> tuple[Expression, Expression]:
    """Returns what comes before a reference to the rule `name` at the end, and the alternatives without one."""
    match body:
        case Reference(other) if other == name:
            return Literal(""), _NOTHING
        case Alternatives(options):
            pairs = [_split(option, name) for option in options]
            return _choice(loop_body for loop_body, _ in pairs), _choice(end for _, end in pairs)
        case Sequence((*before, last)):
            loop_body, end = _split(last, name)
            return _concat(before, loop_body), _concat(before, end)
        case Repetition(item, 0, 1):
            loop_body, end = _split(item, name)
            return loop_body, _choice((end, Literal("")))
    return _NOTHING, body


def _choice(options: Iterable[Expression]) -> Expression:
    return Alternatives(tuple(option for option in options if option != _NOTHING))


def _concat(before: Items[Expression], last: Expression) -> Expression:
    return _NOTHING if last == _NOTHING else Sequence((*before, last))


def _refers_to(expression: Expression, name: str) -> bool:
    return any(reference.name == name for reference in references(expression))
