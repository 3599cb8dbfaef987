"""A grammar cut into lexemes: what the lexer matches as a whole, and what the parser makes of that."""

from dataclasses import dataclass

from grammar.gbnf.syntax_tree import Expression, Token


@dataclass(eq=False, slots=True)
class Lexeme:
    """An expression that the lexer matches as a whole, unless it was cut further."""

    expression: Expression
    inner: "Piece | None" = None
    """What it was cut into."""


@dataclass(eq=False, slots=True)
class TokenLexeme:
    """Any of a set of tokens."""

    token: Token
    """What it is in the grammar."""
    named: frozenset[int]
    """Those that the grammar names somewhere."""
    has_unnamed: bool
    """Whether all other tokens that are text are among them."""


@dataclass(eq=False, slots=True)
class Call:
    """Whatever the pieces of a rule match."""

    name: str


@dataclass(eq=False, slots=True)
class Chain:
    """Pieces one after the other."""

    items: "list[Piece]"


@dataclass(eq=False, slots=True)
class Fork:
    """Any of several pieces."""

    options: "list[Piece]"


@dataclass(eq=False, slots=True)
class Loop:
    """A piece a number of times; `most` is None if there is no limit."""

    item: "Piece"
    least: int
    most: int | None


Piece = Lexeme | TokenLexeme | Call | Chain | Fork | Loop
Terminal = Lexeme | TokenLexeme
