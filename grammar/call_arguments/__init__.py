"""Arguments of tool calls that are not one JSON object: one after the other, each with its name, in a model's own
syntax.

syntax.py   how they are written
values.py   what a schema allows as a value: strings apart from the rest, which is JSON
objects.py  which arguments the schema of a tool has
strings.py  regular expressions for the strings of a schema
rules.py    the rules of a grammar
writer.py   writes given arguments
"""
