"""Tokens in a grammar, next to text and to each other.

Where llguidance may take a token as one that the grammar names, it takes it as nothing else. So sets of tokens are
written as disjoint ones, and a token is refused next to text that may begin like it.
"""

from collections.abc import Iterator

from grammar.errors import GrammarError
from grammar.gbnf.automaton import LexemeFacts
from grammar.gbnf.follow_sets import FollowSets, bits
from grammar.gbnf.lexemes import Lexeme, TokenLexeme
from grammar.gbnf.syntax_tree import LAST_CHARACTER, Grammar, Token, walk
from grammar.vocabulary import GrammarVocabulary

_FIRST_BEYOND_ASCII = 0x80


class NamedTokens:
    """The tokens that a grammar names."""

    def __init__(self, grammar: Grammar, vocabulary: GrammarVocabulary) -> None:
        """Raises GrammarError for a token that is not in the vocabulary, and for one that ends a generation."""
        self._grammar = grammar
        self._vocabulary = vocabulary
        self._named = {token.token for token in _tokens_in(grammar)}
        for token in _tokens_in(grammar):
            self._check(token)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._named)

    def to_lexeme(self, token: Token) -> TokenLexeme:
        """The tokens that one in the grammar stands for: itself, or all others that are text."""
        if not token.is_negated:
            return TokenLexeme(token, frozenset([token.token]), has_unnamed=False)
        return TokenLexeme(token, frozenset(self._named - self._vocabulary.special - {token.token}), has_unnamed=True)

    def to_lark(self, lexeme: TokenLexeme) -> str:
        """A set of tokens in Lark's syntax."""
        sets = [f"<[{token}]>" for token in sorted(lexeme.named_ids)]
        if lexeme.has_unnamed and (ranges := ",".join(self._unnamed())):
            sets.append(f"<[{ranges}]>")
        return f"({' | '.join(sets)})"

    def check_distinguishable(self, order: FollowSets, rivals: list[int], regular: LexemeFacts) -> None:
        """Raises GrammarError for a token that may come in the place of text that begins like it."""
        for number, lexeme in enumerate(order.terminals):
            if isinstance(lexeme, Lexeme):
                following = [order.terminals[n] for n in bits(order.follow[number])]
                self._check_apart(regular.automaton(lexeme).continuation_characters, following, regular)
                others = [order.terminals[n] for n in bits(rivals[number])]
                self._check_apart(regular.automaton(lexeme).first_characters, others, regular)

    def _check_apart(self, characters: int, terminals: list[Lexeme | TokenLexeme], regular: LexemeFacts) -> None:
        for lexeme in terminals:
            if isinstance(lexeme, TokenLexeme) and characters & self._starts(lexeme, regular):
                place = self._grammar.location(lexeme.token.offset)
                raise GrammarError(
                    f"{place}: text that begins like this token may come in its place, and the two cannot be told apart"
                )

    def _starts(self, lexeme: TokenLexeme, regular: LexemeFacts) -> int:
        """The characters that the text of a token may begin with."""
        if lexeme.has_unnamed:
            return regular.alphabet.overlapping(0, LAST_CHARACTER)
        characters = 0
        for piece in map(self._vocabulary.piece, lexeme.named_ids):
            if piece:
                byte = piece[0]
                last = byte if byte < _FIRST_BEYOND_ASCII else LAST_CHARACTER
                characters |= regular.alphabet.overlapping(min(byte, _FIRST_BEYOND_ASCII), last)
        return characters

    def _check(self, token: Token) -> None:
        if token.token >= self._vocabulary.n_tokens:
            message = f"there is no token {token.token}, the last one is {self._vocabulary.n_tokens - 1}"
        elif token.token in self._vocabulary.end_of_generation and not token.is_negated:
            message = f"the token {token.token} ends a generation: it may come where the grammar ends, and only there"
        else:
            return
        raise GrammarError(f"{self._grammar.location(token.offset)}: {message}")

    def _unnamed(self) -> Iterator[str]:
        """The tokens that are text, but for those that the grammar names, as ranges."""
        gaps = sorted({*self._vocabulary.special, *self._named, self._vocabulary.n_tokens})
        for before, after in zip([-1, *gaps], gaps, strict=False):
            if after - before > 1:
                yield f"{before + 1}-{after - 1}"


def _tokens_in(grammar: Grammar) -> Iterator[Token]:
    return (part for rule in grammar.rules.values() for part in walk(rule.body) if isinstance(part, Token))
