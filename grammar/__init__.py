"""Constrained output: grammars compiled to masks of allowed tokens."""
