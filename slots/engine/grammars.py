"""Compiled grammars for a loaded model."""

import threading
from concurrent.futures import Future

from grammar.compiler import GrammarCompiler
from grammar.matcher import CompiledGrammar
from grammar.source import GrammarSource
from grammar.vocabulary import GrammarVocabulary
from slots.llama import Vocab


class Grammars:
    """Compiles grammars. The tables for that take a second or so to build: that begins at once, in a thread."""

    def __init__(self, vocab: Vocab) -> None:
        self._compiler: Future[GrammarCompiler] = Future()
        threading.Thread(target=self._build, args=(vocab,), name="grammars", daemon=True).start()

    def compile(self, source: GrammarSource) -> CompiledGrammar:
        """Returns the compiled grammar, which may have been asked for before. Waits for the tables.

        Belongs to a worker thread: it may take a second. Raises GrammarError for a grammar that cannot be used.
        """
        return self._compiler.result().compile(source)

    def _build(self, vocab: Vocab) -> None:
        try:
            self._compiler.set_result(GrammarCompiler(_grammar_vocabulary(vocab)))
        except BaseException as error:
            self._compiler.set_exception(error)


def _grammar_vocabulary(vocab: Vocab) -> GrammarVocabulary:
    tokens = range(vocab.n_tokens)
    special = {token for token in tokens if vocab.is_control(token)}
    return GrammarVocabulary(
        pieces=[vocab.output_bytes(token) for token in tokens],
        special=special,
        end_of_generation=vocab.end_of_generation,
        special_texts={vocab.display(token): token for token in special},
    )
