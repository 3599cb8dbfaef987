"""Byte-level vocabulary: one token for each byte, so that a grammar matches exactly the texts that it describes."""

from grammar.compiler import GrammarCompiler
from grammar.matcher import CompiledGrammar, Matcher
from grammar.source import GrammarSource, Kind
from grammar.vocabulary import GrammarVocabulary

END = 256
THINK = 257
UNTHINK = 258

VOCABULARY = GrammarVocabulary(
    [*(bytes([byte]) for byte in range(256)), b"", b"", b""],
    special=[THINK, UNTHINK],
    end_of_generation=[END],
    special_texts={"<think>": THINK, "</think>": UNTHINK},
)
COMPILER = GrammarCompiler(VOCABULARY)


def compile_grammar(text: str, kind: Kind = "gbnf") -> CompiledGrammar:
    return COMPILER.compile(GrammarSource(kind, text))


def feed(matcher: Matcher, text: str | bytes) -> bool:
    """Whether a matcher accepts a text, byte by byte. It has then advanced by the accepted bytes."""
    for byte in text.encode() if isinstance(text, str) else text:
        if not matcher.allows(byte):
            return False
        matcher.accept(byte)
    return True


def matches(grammar: CompiledGrammar, text: str) -> bool:
    """Whether a complete text matches."""
    matcher = grammar.matcher()
    return feed(matcher, text) and matcher.may_end
