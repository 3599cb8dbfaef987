"""GBNF, llama.cpp's notation for grammars: read, checked, cut into lexemes and written in Lark's syntax."""

from grammar.gbnf.parser import parse
from grammar.gbnf.translate import translate

__all__ = ["parse", "translate"]
