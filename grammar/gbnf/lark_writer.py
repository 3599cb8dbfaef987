"""A grammar in pieces, written in llguidance's variant of Lark's syntax."""

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
"""Levels of parentheses in one line; llguidance takes some thirty."""


class LarkWriter:
    """Writes rules, in which the lexer's part stands behind names in capitals: within those nothing is cut."""

    def __init__(self, rules: Mapping[str, Rule], tokens: NamedTokens) -> None:
        self._rules = rules
        self._tokens = tokens
        self._names: dict[str, str] = {}
        """Of the rules."""
        self._terminals: dict[Expression, str] = {}
        """The names of what the lexer matches, and of parts of that."""
        self._part_numbers = count()
        self._lines: list[str] = []

    def write(self, pieces: Mapping[str, ParserExpression]) -> str:
        """All rules, of which `start` is the root."""
        self._names = {name: f"rule{number}" for number, name in enumerate(pieces)} | {ROOT: "start"}
        for name, piece in pieces.items():
            self._lines.append(f"{self._names[name]}: {self._rule(piece, 0)}")
        return "\n".join(self._lines)

    def _rule(self, piece: ParserExpression, depth: int) -> str:
        if depth > _MAX_DEPTH:
            name = f"part{next(self._part_numbers)}"
            self._lines.append(f"{name}: {self._rule(piece, 0)}")
            return name
        match piece:
            case Lexeme(expression, None):
                return self._terminal(expression)
            case Lexeme(_, inner) if inner is not None:
                return self._rule(inner, depth)
            case TokenLexeme():
                return self._tokens.to_lark(piece)
            case Nonterminal(name):
                return self._names[name]
            case Concat(items):
                return _chain(self._rule(item, depth + 1) for item in items)
            case Choice(options):
                return _fork(self._rule(option, depth + 1) for option in options)
            case Repeat(item, least, most):
                return f"({self._rule(item, depth + 1)}){_times(least, most)}"
        raise AssertionError("a lexeme is cut or it is not")

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
                return _chain(self._expression(item, depth + 1) for item in items)
            case Alternatives(options):
                return _fork(self._expression(option, depth + 1) for option in options)
            case Repetition(item, least, most):
                return f"({self._expression(item, depth + 1)}){_times(least, most)}"
        raise AssertionError("a token is not part of a lexeme")


def _chain(items: Iterator[str]) -> str:
    return f"({' '.join(items) or EMPTY})"


def _fork(options: Iterator[str]) -> str:
    return f"({' | '.join(options)})"


def _times(least: int, most: int | None) -> str:
    return f"{{{least},{'' if most is None else most}}}"


def _characters(ranges: Ranges) -> str:
    if ranges == ANY_CHARACTER:
        return "/(?s:.)/"
    return f"/[{''.join(f'{lark_code(first)}-{lark_code(last)}' for first, last in ranges)}]/"
