"""Checks of a grammar beyond its syntax: undefined rules, left recursion, and rules that nothing matches."""

from collections.abc import Callable, Container, Iterator, Mapping

from grammar.errors import GrammarError
from grammar.gbnf.syntax_tree import (
    Alternatives,
    Characters,
    Expression,
    Grammar,
    Literal,
    Reference,
    Repetition,
    Rule,
    Sequence,
    Token,
    references,
)
from grammar.limits import Deadline

ROOT = "root"


def check(grammar: Grammar, deadline: Deadline) -> None:
    """Raises GrammarError for an undefined rule, a missing root, and left recursion."""
    for rule in grammar.rules.values():
        for reference in references(rule.body):
            if reference.name not in grammar.rules:
                raise GrammarError(f"{grammar.location(reference.offset)}: the rule {reference.name!r} is not defined")
    if ROOT not in grammar.rules:
        raise GrammarError(f"the grammar has no rule {ROOT!r}, which is where it starts")
    _check_left_recursion(grammar, deadline)


def prune_dead_ends(grammar: Grammar, deadline: Deadline) -> Grammar:
    """Returns the grammar without alternatives that can never be completed: a model would write them for ever.

    Raises GrammarError if nothing matches the root.
    """
    live = rules_satisfying(_can_match, grammar.rules, deadline)
    if ROOT not in live:
        raise GrammarError(
            f"{grammar.location(grammar.rules[ROOT].offset)}: no text can ever match {ROOT!r}, "
            "since every way through it needs a rule, or a character, that nothing matches"
        )
    rules = {
        name: Rule(name, _prune(rule.body, live), rule.offset) for name, rule in grammar.rules.items() if name in live
    }
    return Grammar(rules, grammar.text)


def rules_satisfying(
    predicate: Callable[[Expression, Container[str]], bool], rules: Mapping[str, Rule], deadline: Deadline
) -> set[str]:
    """Returns the least fixed point of a predicate on rules.

    The predicate is called with the body of a rule and the rules that satisfy it so far.
    """
    satisfying: set[str] = set()
    has_changed = True
    while has_changed:
        has_changed = False
        # Rules are usually written before those that they refer to: in reverse order few rounds are needed.
        for rule in reversed(list(rules.values())):
            deadline.check()
            if rule.name not in satisfying and predicate(rule.body, satisfying):
                satisfying.add(rule.name)
                has_changed = True
    return satisfying


def is_nullable(expression: Expression, nullable_rules: Container[str]) -> bool:
    """Whether an expression matches the empty text."""
    match expression:
        case Literal(text):
            return not text
        case Reference(name):
            return name in nullable_rules
        case Sequence(items):
            return all(is_nullable(item, nullable_rules) for item in items)
        case Alternatives(options):
            return any(is_nullable(option, nullable_rules) for option in options)
        case Repetition(item, min_count, _):
            return min_count == 0 or is_nullable(item, nullable_rules)
    return False


def _check_left_recursion(grammar: Grammar, deadline: Deadline) -> None:
    nullable = rules_satisfying(is_nullable, grammar.rules, deadline)
    first = {rule.name: list(_first_references(rule.body, nullable)) for rule in grammar.rules.values()}
    visited: set[str] = set()
    for name in grammar.rules:
        path: dict[str, Iterator[Reference]] = {}
        stack = [] if name in visited else [name]
        while stack:
            path.setdefault(stack[-1], iter(first[stack[-1]]))
            reference = next(path[stack[-1]], None)
            if reference is None:
                visited.add(stack.pop())
            elif reference.name in stack:
                cycle = [*stack[stack.index(reference.name) :], reference.name]
                raise GrammarError(
                    f"{grammar.location(reference.offset)}: left recursion, {' -> '.join(cycle)}: "
                    "a rule must not begin with itself; write it as a repetition instead"
                )
            elif reference.name not in visited:
                stack.append(reference.name)


def _first_references(expression: Expression, nullable: Container[str]) -> Iterator[Reference]:
    """The references that an expression may begin with."""
    match expression:
        case Reference():
            yield expression
        case Sequence(items):
            for item in items:
                yield from _first_references(item, nullable)
                if not is_nullable(item, nullable):
                    return
        case Alternatives(options):
            for option in options:
                yield from _first_references(option, nullable)
        case Repetition(item, _, max_count) if max_count != 0:
            yield from _first_references(item, nullable)


def _can_match(expression: Expression, live: Container[str]) -> bool:
    match expression:
        case Characters(ranges):
            return bool(ranges)
        case Reference(name):
            return name in live
        case Sequence(items):
            return all(_can_match(item, live) for item in items)
        case Alternatives(options):
            return any(_can_match(option, live) for option in options)
        case Repetition(item, min_count, _):
            return min_count == 0 or _can_match(item, live)
    return isinstance(expression, Literal | Token)


def _prune(expression: Expression, live: Container[str]) -> Expression:
    """Removes from an expression that can match the parts that cannot."""
    match expression:
        case Sequence(items):
            return Sequence(tuple(_prune(item, live) for item in items))
        case Alternatives(options):
            return Alternatives(tuple(_prune(option, live) for option in options if _can_match(option, live)))
        case Repetition(item, min_count, max_count):
            if max_count == 0 or not _can_match(item, live):
                return Literal("")
            return Repetition(_prune(item, live), min_count, max_count)
    return expression
