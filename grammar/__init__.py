"""Constrained output: compiles a grammar to masks of the tokens that may be generated next.

GrammarSource (source.py)             a kind and a text
  | gbnf          gbnf/               GBNF, llama.cpp's notation
  | json_schema   json_schema/        JSON Schema, checked for what llguidance ignores or cannot bound
  | regex         regex.py            a regular expression
  | choice        choice.py           one of a list of strings
  | turn          chat_turn.py        an assistant's turn: reasoning, text, tool calls, JSON
  v
Lark rules        lark.py             llguidance's input format
  v
GrammarCompiler   compiler.py         caches; limits.py bounds sizes and times, deep_stack.py the recursion
  v
CompiledGrammar   matcher.py          an llguidance matcher (llguidance_library.py) over the model's tokens
  |                                   (vocabulary.py, token_bytes.py)
  v
Matcher           matcher.py          one request's state: mask(), allows(token), accept(token), forced_tokens()
"""
