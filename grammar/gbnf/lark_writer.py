"""Writes parser expressions in llguidance's variant of Lark's syntax."""

from collections.abc import Iterator, Mapping
from itertools import count

from grammar.gbnf.checks import ROOT
from grammar.gbnf.lexemes import Choice, Concat, Lexeme, Nonterminal, ParserExpression, Repeat, TokenLexeme
from grammar.gbnf.syntax_tree import (
    ANY_CHARACTER,
    Alternatives,
    Characters,
    Expression,
    Literal,
    Ranges,
    Reference,
    Repetition,
    Rule,
    Sequence,
)
from grammar.gbnf.token_lexemes import NamedTokens
from grammar.lark import EMPTY, lark_code, lark_text

_MAX_DEPTH = 16
"""Levels of parentheses in one line; llguidance accepts about thirty."""


class LarkWriter:
    """Writes the rules of a grammar. What the lexer matches gets terminals, which are names in capitals."""

    def __init__(self, rules: Mapping[str, Rule], tokens: NamedTokens) -> None:
        self._rules = rules
        self._tokens = tokens
        self._rule_names: dict[str, str] = {}
        self._terminals: dict[Expression, str] = {}
        self._part_numbers = count()
        self._lines: list[str] = []

    def write(self, productions: Mapping[str, ParserExpression]) -> str:
        """Returns all rules; the root is called `start`."""
        self._rule_names = {name: f"rule{number}" for number, name in enumerate(productions)} | {ROOT: "start"}
        for name, production in productions.items():
            self._lines.append(f"{self._rule_names[name]}: {self._rule(production, 0)}")
        return "\n".join(self._lines)

    def _rule(self, expression: ParserExpression, depth: int) -> str:
        if depth > _MAX_DEPTH:
            name = f"part{next(self._part_numbers)}"
            self._lines.append(f"{name}: {self._rule(expression, 0)}")
            return name
        match expression:
            case Lexeme(regular_expression, None):
                return self._terminal(regular_expression)
            case Lexeme(_, inner) if inner is not None:
                return self._rule(inner, depth)
            case TokenLexeme():
                return self._tokens.to_lark(expression)
            case Nonterminal(name):
                return self._rule_names[name]
            case Concat(items):
                return _concat(self._rule(item, depth + 1) for item in items)
            case Choice(options):
                return _choice(self._rule(option, depth + 1) for option in options)
            case Repeat(item, min_count, max_count):
                return f"({self._rule(item, depth + 1)}){_quantifier(min_count, max_count)}"
        raise AssertionError("a lexeme is split or it is not")

    def _terminal(self, expression: Expression) -> str:
        name = self._terminals.get(expression)
        if name is None:
            name = self._terminals[expression] = f"T{len(self._terminals)}"
            self._lines.append(f"{name}: {self._expression(expression, 0)}")
        return name

    def _expression(self, expression: Expression, depth: int) -> str:
        if depth > _MAX_DEPTH:
            return self._terminal(expression)
        match expression:
            case Literal(text):
                return lark_text(text)
            case Characters(ranges):
                return _characters(ranges)
            case Reference(name):
                return self._terminal(self._rules[name].body)
            case Sequence(items):
                return _concat(self._expression(item, depth + 1) for item in items)
            case Alternatives(options):
                return _choice(self._expression(option, depth + 1) for option in options)
            case Repetition(item, min_count, max_count):
                return f"({self._expression(item, depth + 1)}){_quantifier(min_count, max_count)}"
        raise AssertionError("a token is not part of a lexeme")


def _concat(items: Iterator[str]) -> str:
    return f"({' '.join(items) or EMPTY})"


def _choice(options: Iterator[str]) -> str:
    return f"({' | '.join(options)})"


def _quantifier(min_count: int, max_count: int | None) -> str:
    return f"{{{min_count},{'' if max_count is None else max_count}}}"


def _characters(ranges: Ranges) -> str:
    if ranges == ANY_CHARACTER:
        return "/(?s:.)/"
    return f"/[{''.join(f'{lark_code(first)}-{lark_code(last)}' for first, last in ranges)}]/"
