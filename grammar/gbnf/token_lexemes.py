"""Tokens that a grammar names, such as `<think>` or `<[1000]>`.

If llguidance can take a token as one that the grammar names, it takes it as nothing else. Sets of tokens are therefore
written as disjoint sets, and a token is refused where text that begins like it could come instead.
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
    """The tokens that one grammar names."""

    def __init__(self, grammar: Grammar, vocabulary: GrammarVocabulary) -> None:
        """Raises GrammarError for a token that is not in the vocabulary, and for one that ends a generation."""
        self._grammar = grammar
        self._vocabulary = vocabulary
        self._ids = {token.token for token in _tokens_in(grammar)}
        for token in _tokens_in(grammar):
            self._check(token)

    def __bool__(self) -> bool:
        return bool(self._ids)

    def to_lexeme(self, token: Token) -> TokenLexeme:
        """The set that a token of the grammar stands for: itself, or all others that are text."""
        if not token.is_negated:
            return TokenLexeme(token, frozenset([token.token]), has_unnamed=False)
        return TokenLexeme(token, frozenset(self._ids - self._vocabulary.special - {token.token}), has_unnamed=True)

    def to_lark(self, lexeme: TokenLexeme) -> str:
        sets = [f"<[{token}]>" for token in sorted(lexeme.named_ids)]
        if lexeme.has_unnamed and (ranges := ",".join(self._unnamed_ranges())):
            sets.append(f"<[{ranges}]>")
        return f"({' | '.join(sets)})"

    def check_distinguishable(self, follow_sets: FollowSets, rivals: list[int], facts: LexemeFacts) -> None:
        """Raises GrammarError for a token if text that begins like it can come in its place.

        `rivals` are those of each terminal, as LexerConflicts finds them.
        """
        terminals = follow_sets.terminals
        for number, lexeme in enumerate(terminals):
            if isinstance(lexeme, Lexeme):
                automaton = facts.automaton(lexeme)
                followers = [terminals[n] for n in bits(follow_sets.follow[number])]
                self._check_disjoint(automaton.continuation_characters, followers, facts)
                self._check_disjoint(automaton.first_characters, [terminals[n] for n in bits(rivals[number])], facts)

    def _check_disjoint(self, characters: int, terminals: list[Lexeme | TokenLexeme], facts: LexemeFacts) -> None:
        for lexeme in terminals:
            if isinstance(lexeme, TokenLexeme) and characters & self._first_characters(lexeme, facts):
                location = self._grammar.location(lexeme.token.offset)
                raise GrammarError(
                    f"{location}: text that begins like this token may come in its place, "
                    "and the two cannot be told apart"
                )

    def _first_characters(self, lexeme: TokenLexeme, facts: LexemeFacts) -> int:
        if lexeme.has_unnamed:
            return facts.alphabet.overlapping(0, LAST_CHARACTER)
        characters = 0
        for piece in map(self._vocabulary.piece, lexeme.named_ids):
            if piece:
                byte = piece[0]
                last = byte if byte < _FIRST_BEYOND_ASCII else LAST_CHARACTER
                characters |= facts.alphabet.overlapping(min(byte, _FIRST_BEYOND_ASCII), last)
        return characters

    def _check(self, token: Token) -> None:
        if token.token >= self._vocabulary.n_tokens:
            message = f"there is no token {token.token}, the last one is {self._vocabulary.n_tokens - 1}"
        elif token.token in self._vocabulary.end_of_generation and not token.is_negated:
            message = f"the token {token.token} ends a generation: it may come where the grammar ends, and only there"
        else:
            return
        raise GrammarError(f"{self._grammar.location(token.offset)}: {message}")

    def _unnamed_ranges(self) -> Iterator[str]:
        """The tokens of text that the grammar does not name, as ranges of ids."""
        gaps = sorted({*self._vocabulary.special, *self._ids, self._vocabulary.n_tokens})
        for before, after in zip([-1, *gaps], gaps, strict=False):
            if after - before > 1:
                yield f"{before + 1}-{after - 1}"


def _tokens_in(grammar: Grammar) -> Iterator[Token]:
    return (part for rule in grammar.rules.values() for part in walk(rule.body) if isinstance(part, Token))
