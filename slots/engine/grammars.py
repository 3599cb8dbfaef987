"""Grammar compiler of a loaded model."""

from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from grammar.source import GrammarSource
from grammar.token_bytes import TokenBytes
from slots.llama import Vocab, allocated_bytes, release_free_memory

if TYPE_CHECKING:
    from grammar.compiler import GrammarCompiler
    from grammar.matcher import CompiledGrammar
    from grammar.vocabulary import GrammarVocabulary


class Grammars:
    """Compiles grammars. Their tables of the vocabulary are built when the first one is: it takes a second and eighty
    megabytes for a vocabulary of 262 thousand tokens, and many servers never get one. Thread-safe."""

    def __init__(self, vocab: Vocab) -> None:
        self._vocab = vocab
        self._lock = Lock()
        self._compiler: GrammarCompiler | None = None
        self.table_bytes: int | None = 0
        """Memory of the tables; None if the C library does not say how much it was."""

    def compile(self, source: GrammarSource) -> "CompiledGrammar":
        """Returns the compiled grammar, from a cache if it was compiled before. Raises GrammarError.

        Call it in a worker thread: it may take seconds, most of them without the GIL.
        """
        with self._lock:
            if self._compiler is None:
                self._compiler = self._make_compiler()
        return self._compiler.compile(source)

    def _make_compiler(self) -> "GrammarCompiler":
        from grammar.compiler import GrammarCompiler  # noqa: PLC0415 - needed only by who gets a grammar

        before = allocated_bytes()
        compiler = GrammarCompiler(_grammar_vocabulary(self._vocab))
        after = allocated_bytes()
        self.table_bytes = None if before is None or after is None else max(after - before, 0)
        release_free_memory()  # what llguidance built its tables from, as large as half of them
        return compiler


def _grammar_vocabulary(vocab: Vocab) -> "GrammarVocabulary":
    from grammar.vocabulary import GrammarVocabulary  # noqa: PLC0415 - as above

    special = vocab.control_tokens
    return GrammarVocabulary(
        pieces=_without(vocab.read_pieces(), special),
        special=special,
        end_of_generation=vocab.end_of_generation,
        special_texts={vocab.display(token): token for token in special},
    )


def _without(pieces: TokenBytes, tokens: frozenset[int]) -> TokenBytes:
    """Returns the bytes of the tokens, none for `tokens`, which have no text of their own."""
    lengths = pieces.lengths
    is_kept = np.ones(len(pieces), np.bool_)
    is_kept[sorted(tokens)] = False
    data = pieces.data[np.repeat(is_kept, lengths)]
    return TokenBytes(data, np.where(is_kept, lengths, 0).cumsum(dtype=np.uint32))
