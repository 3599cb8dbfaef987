"""A grammar cut into lexemes: what the lexer matches as a whole, and what the parser makes of that."""

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


@dataclass(eq=False, slots=True)
class Lexeme:
    """An expression that the lexer matches as a whole, unless it was cut further."""

    expression: Expression
    inner: "ParserExpression | None" = None
    """What it was cut into."""


@dataclass(eq=False, slots=True)
class TokenLexeme:
    """Any of a set of tokens."""

    token: Token
    """What it is in the grammar."""
    named_ids: frozenset[int]
    """Those that the grammar names somewhere."""
    has_unnamed: bool
    """Whether all other tokens that are text are among them."""


@dataclass(eq=False, slots=True)
class Nonterminal:
    """Whatever the pieces of a rule match."""

    name: str


@dataclass(eq=False, slots=True)
class Concat:
    """Pieces one after the other."""

    items: "list[ParserExpression]"


@dataclass(eq=False, slots=True)
class Choice:
    """Any of several pieces."""

    options: "list[ParserExpression]"


@dataclass(eq=False, slots=True)
class Repeat:
    """A piece a number of times; `most` is None if there is no limit."""

    item: "ParserExpression"
    min_count: int
    max_count: int | None


ParserExpression = Lexeme | TokenLexeme | Nonterminal | Concat | Choice | Repeat
Terminal = Lexeme | TokenLexeme

_MAX_SIZE = MAX_GBNF_TEXT
_MAX_LEVELS = 4 * MAX_DEPTH
"""Of a lexeme once the rules that it refers to are written out: each of them could double it."""


class LexemeSplitter:
    """Cuts rules into pieces, with lexemes that are as large as they can be, and those into smaller ones."""

    def __init__(
        self, rules: Mapping[str, Rule], token_lexeme: Callable[[Token], TokenLexeme], deadline: Deadline
    ) -> None:
        """`token_lexeme` is asked what a token of the grammar stands for."""
        self._rules = rules
        self._token_lexeme = token_lexeme
        self._extents = _extents(rules, deadline)
        self.productions: dict[str, ParserExpression] = {}
        """Of each rule that was asked for, or that the pieces of others refer to."""

    def add_rule(self, name: str) -> Nonterminal:
        """A rule in pieces."""
        to_cut = [name]
        while to_cut:
            rule = self._rules[to_cut.pop()]
            if rule.name not in self.productions:
                self.productions[rule.name] = self._cut(rule.body)
                to_cut += [reference.name for reference in references(rule.body) if reference.name not in self._extents]
        return Nonterminal(name)

    def split(self, lexeme: Lexeme) -> None:
        """Cut a lexeme of more than one character into its parts."""
        match lexeme.expression:
            case Reference(name):
                lexeme.inner = self.add_rule(name)
            case Literal(text):
                lexeme.inner = Concat([Lexeme(Literal(character)) for character in text])
            case Sequence(items):
                lexeme.inner = Concat([_lexeme(item) for item in items])
            case Alternatives(options):
                lexeme.inner = Choice([_lexeme(option) for option in options])
            case Repetition(item, least, most):
                lexeme.inner = Repeat(_lexeme(item), least, most)

    def _cut(self, expression: Expression) -> ParserExpression:
        if self._is_lexeme(expression):
            return _lexeme(expression)
        match expression:
            case Reference(name):
                return Nonterminal(name)
            case Token():
                return self._token_lexeme(expression)
            case Alternatives(options):
                by_kind = sorted(options, key=self._is_lexeme)
                return Choice([self._cut(part) for part in self._joined(by_kind, Alternatives)])
            case Sequence(items):
                return Concat([self._cut(part) for part in self._joined(items, Sequence)])
            case Repetition(item, least, most):
                return Repeat(self._cut(item), least, most)
        raise AssertionError("anything else is a lexeme")

    def _joined(
        self, items: "tuple[Expression, ...] | list[Expression]", join: type[Sequence] | type[Alternatives]
    ) -> Iterator[Expression]:
        """Parts of an expression, with those that the lexer can match put together where they are neighbours."""
        for are_lexemes, group in groupby(items, self._is_lexeme):
            run = tuple(group)
            if are_lexemes and len(run) > 1 and self._is_lexeme(join(run)):
                yield join(run)
            else:
                yield from run

    def _is_lexeme(self, expression: Expression) -> bool:
        return _extent(expression, self._extents) is not None


def _lexeme(expression: Expression) -> ParserExpression:
    """An expression as one lexeme; an empty text is none."""
    return Concat([]) if expression in (Literal(""), Sequence(())) else Lexeme(expression)


@dataclass(frozen=True, slots=True)
class _Extent:
    """How large an expression is once the rules that it refers to are written out."""

    size: int
    """Characters and sets of them."""
    n_levels: int


def _extents(rules: Mapping[str, Rule], deadline: Deadline) -> dict[str, _Extent]:
    """Those of the rules that the lexer can match: they have no tokens, and come to an end without themselves."""
    extents: dict[str, _Extent] = {}
    n_before = -1
    while n_before < len(extents):
        n_before = len(extents)
        # A rule mostly comes before those that it refers to: from the last to the first most is found at once.
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
            return _around([extents.get(name)])
        case _:
            return _around([_extent(part, extents) for part in parts(expression)])


def _around(within: list[_Extent | None]) -> _Extent | None:
    """The extent of what consists of several parts."""
    size = n_levels = 0
    for extent in within:
        if extent is None:
            return None
        size += extent.size
        n_levels = max(n_levels, extent.n_levels)
    return _Extent(size, n_levels + 1) if size <= _MAX_SIZE and n_levels < _MAX_LEVELS else None
