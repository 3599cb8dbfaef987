"""Compiler: turns grammar sources into compiled grammars, and caches them."""

from collections import OrderedDict
from concurrent.futures import Future
from threading import Lock

from grammar.chat_turn import turn_schemas, turn_to_rules
from grammar.choice import choice_to_rules
from grammar.deep_stack import run_on_deep_stack
from grammar.errors import GrammarError
from grammar.gbnf import parse, translate
from grammar.json_schema.schema import schema_error, schema_to_rules
from grammar.lark import lark_error, lark_grammar
from grammar.limits import MAX_TEXT, PARSER_LIMITS
from grammar.llguidance_library import NativeMatcher
from grammar.matcher import CompiledGrammar
from grammar.regex import regex_error, regex_to_rules
from grammar.source import GrammarSource
from grammar.vocabulary import GrammarVocabulary


class GrammarCompiler:
    """Compiles grammars for one vocabulary; keeps the `max_cached` most recently used. Thread-safe."""

    def __init__(self, vocabulary: GrammarVocabulary, max_cached: int = 64) -> None:
        self._vocabulary = vocabulary
        self._max_cached = max_cached
        self._cache: OrderedDict[GrammarSource, Future[CompiledGrammar]] = OrderedDict()
        self._lock = Lock()

    def compile(self, source: GrammarSource) -> CompiledGrammar:
        """Returns the compiled grammar. Threads that request the same one at the same time compile it once.

        Raises GrammarError for a grammar that is wrong, that exceeds a limit, or that no text can match.
        """
        with self._lock:
            cached = self._cache.get(source)
            if cached is None:
                entry = self._cache[source] = Future()
            else:
                self._cache.move_to_end(source)
        if cached is not None:
            return cached.result()
        return self._compile_into(entry, source)

    def _compile_into(self, entry: Future[CompiledGrammar], source: GrammarSource) -> CompiledGrammar:
        try:
            # llguidance recurses for each rule and each level of it; an ordinary stack overflows at some thousands.
            compiled = run_on_deep_stack(lambda: self._compile(source))
        except BaseException as error:
            with self._lock:
                self._cache.pop(source, None)
            entry.set_exception(error)
            raise
        entry.set_result(compiled)
        with self._lock:
            while len(self._cache) > self._max_cached:
                self._cache.popitem(last=False)
        return compiled

    def _compile(self, source: GrammarSource) -> CompiledGrammar:
        _check_text(source.text)
        try:
            lark = lark_grammar(self._rules(source))
        except RecursionError:
            raise GrammarError("the grammar has parts within parts, or references to references, too deep") from None
        matcher = NativeMatcher.compile(self._vocabulary.tables, lark, PARSER_LIMITS)
        if error := matcher.error:
            self._check_schemas(source)
            raise _to_grammar_error(source, error)
        compiled = CompiledGrammar(matcher, self._vocabulary)
        compiled.check_start()
        return compiled

    def _rules(self, source: GrammarSource) -> str:
        match source.kind:
            case "gbnf":
                return translate(parse(source.text, self._vocabulary.find_token), self._vocabulary)
            case "json_schema":
                return schema_to_rules(source.text)
            case "regex":
                return regex_to_rules(source.text)
            case "choice":
                return choice_to_rules(source.text)
            case "turn":
                return turn_to_rules(source.text, self._vocabulary)

    def _check_schemas(self, source: GrammarSource) -> None:
        """Raises the error of the schema that causes it, if a grammar has several."""
        for name, schema in turn_schemas(source.text) if source.kind == "turn" else ():
            try:
                self._compile(GrammarSource("json_schema", schema))
            except GrammarError as error:
                raise GrammarError(f"{name}: {error}") from None


def _check_text(text: str) -> None:
    if len(text) > MAX_TEXT:
        raise GrammarError(f"a grammar has at most {MAX_TEXT} characters, got {len(text)}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise GrammarError(f"character {error.start + 1} of the grammar is half of a surrogate pair") from None


def _to_grammar_error(source: GrammarSource, message: str) -> GrammarError:
    match source.kind:
        case "json_schema":
            return schema_error(message)
        case "regex":
            return regex_error(message)
    return GrammarError(f"the grammar cannot be used: {lark_error(message)}")
