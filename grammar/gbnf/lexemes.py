"""Lexemes and parser expressions: what the lexer matches in one piece, and what the parser builds from that."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from grammar.gbnf.syntax_tree import (
    Alternatives,
    Characters,
    Expression,
    Literal,
    Reference,
    Repetition,
    Rule,
    Sequence,
    Token,
    parts,
    references,
)
from grammar.limits import MAX_DEPTH, MAX_GBNF_TEXT, Deadline

_MAX_SIZE = MAX_GBNF_TEXT
_MAX_LEVELS = 4 * MAX_DEPTH
"""Limits of a lexeme after the rules that it refers to are inlined: each rule could double it."""


@dataclass(eq=False, slots=True)
class Lexeme:
    """An expression that the lexer matches in one piece, or that was split into `inner`."""

    expression: Expression
    inner: "ParserExpression | None" = None


@dataclass(eq=False, slots=True)
class TokenLexeme:
    """Any of a set of tokens."""

    token: Token
    """What the grammar says."""
    named_ids: frozenset[int]
    """The tokens of the set that the grammar names somewhere."""
    has_unnamed: bool
    """Whether the set also has all tokens of text that the grammar does not name."""


@dataclass(eq=False, slots=True)
class Nonterminal:
    name: str


@dataclass(eq=False, slots=True)
class Concat:
    items: "list[ParserExpression]"


@dataclass(eq=False, slots=True)
class Choice:
    options: "list[ParserExpression]"


@dataclass(eq=False, slots=True)
class Repeat:
    """An item a number of times; no `max_count` is no limit."""

    item: "ParserExpression"
    min_count: int
    max_count: int | None


ParserExpression = Lexeme | TokenLexeme | Nonterminal | Concat | Choice | Repeat
Terminal = Lexeme | TokenLexeme


class LexemeSplitter:
    """Splits rules into lexemes that are as large as possible, and single lexemes into smaller ones."""

    def __init__(
        self, rules: Mapping[str, Rule], to_token_lexeme: Callable[[Token], TokenLexeme], deadline: Deadline
    ) -> None:
        self._rules = rules
        self._to_token_lexeme = to_token_lexeme
        self._extents = _rule_extents(rules, deadline)
        self.productions: dict[str, ParserExpression] = {}
        """Those of the rules that were added and of those that they refer to."""

    def add_rule(self, name: str) -> Nonterminal:
        """Adds a rule, and the rules that it refers to, to the productions."""
        remaining = [name]
        while remaining:
            rule = self._rules[remaining.pop()]
            if rule.name not in self.productions:
                self.productions[rule.name] = self._to_parser_expression(rule.body)
                remaining += [r.name for r in references(rule.body) if r.name not in self._extents]
        return Nonterminal(name)

    def split(self, lexeme: Lexeme) -> None:
        """Splits a lexeme of more than one character, one level down."""
        match lexeme.expression:
            case Reference(name):
                lexeme.inner = self.add_rule(name)
            case Literal(text):
                lexeme.inner = Concat([Lexeme(Literal(character)) for character in text])
            case Sequence(items):
                lexeme.inner = Concat([_to_lexeme(item) for item in items])
            case Alternatives(options):
                lexeme.inner = Choice([_to_lexeme(option) for option in options])
            case Repetition(item, min_count, max_count):
                lexeme.inner = Repeat(_to_lexeme(item), min_count, max_count)

    def _to_parser_expression(self, expression: Expression) -> ParserExpression:
        if self._is_lexeme(expression):
            return _to_lexeme(expression)
        match expression:
            case Reference(name):
                return Nonterminal(name)
            case Token():
                return self._to_token_lexeme(expression)
            case Alternatives(options):
                by_kind = sorted(options, key=self._is_lexeme)
                return Choice([self._to_parser_expression(part) for part in self._merge_lexemes(by_kind, Alternatives)])
            case Sequence(items):
                return Concat([self._to_parser_expression(part) for part in self._merge_lexemes(items, Sequence)])
            case Repetition(item, min_count, max_count):
                return Repeat(self._to_parser_expression(item), min_count, max_count)
        raise AssertionError("anything else is a lexeme")

    def _merge_lexemes(
        self, items: "tuple[Expression, ...] | list[Expression]", merge: type[Sequence] | type[Alternatives]
    ) -> Iterator[Expression]:
        """Merges neighbours that the lexer can match into one expression, if it is not too large."""
        for are_lexemes, group in groupby(items, self._is_lexeme):
            run = tuple(group)
            if are_lexemes and len(run) > 1 and self._is_lexeme(merge(run)):
                yield merge(run)
            else:
                yield from run

    def _is_lexeme(self, expression: Expression) -> bool:
        return _extent(expression, self._extents) is not None


def _to_lexeme(expression: Expression) -> ParserExpression:
    """One lexeme; an empty text is none."""
    return Concat([]) if expression in (Literal(""), Sequence(())) else Lexeme(expression)


@dataclass(frozen=True, slots=True)
class _Extent:
    """The size of an expression after the rules that it refers to are inlined."""

    size: int
    """In characters and sets of characters."""
    n_levels: int


def _rule_extents(rules: Mapping[str, Rule], deadline: Deadline) -> dict[str, _Extent]:
    """The extents of the rules that the lexer can match: those without tokens and without recursion."""
    extents: dict[str, _Extent] = {}
    n_before = -1
    while n_before < len(extents):
        n_before = len(extents)
        # Rules are usually written before those that they refer to: in reverse order few rounds are needed.
        for rule in reversed(list(rules.values())):
            deadline.check()
            if rule.name not in extents and (extent := _extent(rule.body, extents)) is not None:
                extents[rule.name] = extent
    return extents


def _extent(expression: Expression, extents: Mapping[str, _Extent]) -> _Extent | None:
    """The extent of an expression; None if it cannot be a lexeme, or is too large to be one."""
    match expression:
        case Literal(text):
            return _Extent(len(text), 1)
        case Characters():
            return _Extent(1, 1)
        case Token():
            return None
        case Reference(name):
            return _enclosing_extent([extents.get(name)])
        case _:
            return _enclosing_extent([_extent(part, extents) for part in parts(expression)])


def _enclosing_extent(inner: list[_Extent | None]) -> _Extent | None:
    size = n_levels = 0
    for extent in inner:
        if extent is None:
            return None
        size += extent.size
        n_levels = max(n_levels, extent.n_levels)
    return _Extent(size, n_levels + 1) if size <= _MAX_SIZE and n_levels < _MAX_LEVELS else None
