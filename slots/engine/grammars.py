"""Grammar compiler of a loaded model."""

import threading
from concurrent.futures import Future

from grammar.compiler import GrammarCompiler
from grammar.matcher import CompiledGrammar
from grammar.source import GrammarSource
from grammar.vocabulary import GrammarVocabulary
from slots.llama import Vocab


class Grammars:
    """Compiles grammars. A thread builds its tables, which takes about a second."""

    def __init__(self, vocab: Vocab) -> None:
        self._compiler: Future[GrammarCompiler] = Future()
        threading.Thread(target=self._build, args=(vocab,), name="grammars", daemon=True).start()

    def compile(self, source: GrammarSource) -> CompiledGrammar:
        """Returns the compiled grammar, from a cache if it was compiled before. Raises GrammarError.

        Call it in a worker thread: it waits for the tables, and compiling may take a second.
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
