"""GBNF, llama.cpp's notation for grammars, translated to llguidance's Lark syntax.

    GBNF text
      | parse                         parser.py
      v
    syntax tree                       syntax_tree.py
      | references, left recursion,
      | dead ends                     checks.py
      | right recursion -> loops      right_recursion.py
      v
    lexemes and parser expressions    lexemes.py, token_lexemes.py (tokens named in the grammar)
      | position automaton            automaton.py        the characters of a lexeme
      | first and follow sets         follow_sets.py      the lexemes of the grammar
      | lexer conflicts?              lexer_conflicts.py  yes: split those lexemes and compute the follow sets again
      v
    Lark text                         lark_writer.py

translate.py runs the passes. Lexemes are needed because llguidance has a lexer and GBNF has none: lexer_conflicts.py
explains what follows from that.
"""

from grammar.gbnf.parser import parse
from grammar.gbnf.translate import translate

__all__ = ["parse", "translate"]
