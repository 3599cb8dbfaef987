"""Python functions and classes of random statements: right in syntax, not meant to be useful."""

import textwrap
from random import Random

from models.bundled_model.corpus.phrasing import capitalized, listed

VERBS = listed("get set make find check load save build read update create compute count send move open parse show")
NOUNS = listed("user item name value list file data price total index key message page point size text word "
               "result order number score label row node token line list color path")  # fmt: skip
METHODS = listed("append strip lower upper split add remove get pop sort update")
DEPTH = 2


def _atom(names: list[str], rng: Random) -> str:
    kind = rng.random()
    if kind < 0.6:
        return rng.choice(names)
    if kind < 0.85:
        return str(rng.choice([0, 1, 2, 3, 5, 10, 100]))
    return f'"{rng.choice(NOUNS)}"'


def _expression(names: list[str], rng: Random) -> str:
    a, b = _atom(names, rng), _atom(names, rng)
    forms = [f"{a}", f"{a} {rng.choice('+-*')} {b}", f"len({rng.choice(names)})", f"{rng.choice(names)}[{b}]",
             f"{rng.choice(names)}.{rng.choice(METHODS)}()", f"[{a}, {b}]", f"{{{a}: {b}}}", f"str({a})",
             f"({a} {rng.choice('+-')} {b}) * {_atom(names, rng)}", f"{rng.choice(VERBS)}({a}, {b})",
             f"{rng.choice(VERBS)}_{rng.choice(NOUNS)}({a})", f'f"{{{rng.choice(names)}}}"',
             f"[{rng.choice(VERBS)}(x) for x in {rng.choice(names)}]"]  # fmt: skip
    return rng.choice(forms)


def _condition(names: list[str], rng: Random) -> str:
    name, other = rng.choice(names), _atom(names, rng)
    return rng.choice([f"{name} {rng.choice(['==', '!=', '<', '>', '<=', '>='])} {other}", f"not {name}", name,
                       f"{name} is None", f"{name} in {rng.choice(names)}", f"len({name}) > 0"])  # fmt: skip


def _block(names: list[str], depth: int, rng: Random) -> str:
    return textwrap.indent("\n".join(_statements(list(names), depth + 1, rng.randint(1, 2), rng)), "    ")


def _statement(names: list[str], depth: int, rng: Random) -> str:
    kind = rng.random()
    if kind < 0.4 or depth >= DEPTH:
        value, target = _expression(names, rng), rng.choice([*names, rng.choice(NOUNS)])
        names.append(target)
        return f"{target} = {value}"
    if kind < 0.5:
        return f"print({_expression(names, rng)})"
    if kind < 0.75:
        branch = f"if {_condition(names, rng)}:\n{_block(names, depth, rng)}"
        return branch + (f"\nelse:\n{_block(names, depth, rng)}" if rng.random() < 0.3 else "")
    if kind < 0.9:
        variable = rng.choice(["i", "x", "item", "row", "key"])
        source = rng.choice([f"range({_atom(names, rng)})", rng.choice(names), f"{rng.choice(names)}.items()"])
        return f"for {variable} in {source}:\n{_block([*names, variable], depth, rng)}"
    return f"while {_condition(names, rng)}:\n{_block(names, depth, rng)}"


def _statements(names: list[str], depth: int, count: int, rng: Random) -> list[str]:
    lines = [_statement(names, depth, rng) for _ in range(count)]
    if rng.random() < (0.9 if depth == 0 else 0.3):
        lines.append(f"return {_expression(names, rng)}")
    return lines


def random_function(rng: Random) -> str:
    """A function of a few random statements."""
    parameters = rng.sample(sorted(set(NOUNS)), rng.randint(1, 3))
    header = f"def {rng.choice(VERBS)}_{rng.choice(NOUNS)}({', '.join(parameters)}):\n"
    body = "\n".join(_statements(list(parameters), 0, rng.randint(1, 3), rng))
    return header + textwrap.indent(body, "    ") + "\n"


def random_class(rng: Random) -> str:
    """A class with an initializer and one or two methods."""
    fields = rng.sample(sorted(set(NOUNS)), rng.randint(1, 3))
    parts = [f"def __init__(self, {', '.join(fields)}):\n" + "\n".join(f"    self.{f} = {f}" for f in fields)]
    for _ in range(rng.randint(1, 2)):
        field = rng.choice(fields)
        verb = rng.choice(VERBS)
        parts.append(rng.choice([
            f"def {verb}_{field}(self):\n    return self.{field}",
            f"def {verb}_{field}(self, {field}):\n    self.{field} = {field}",
            f"def {verb}(self, value):\n    self.{field} += value\n    return self.{field}",
            f'def __str__(self):\n    return f"{{self.{field}}}"',
            f"def __len__(self):\n    return len(self.{field})",
            f"def {verb}(self, item):\n    self.{field}.append(item)",
            f"def is_{verb}(self):\n    return self.{field} == 0",
        ]))  # fmt: skip
    return f"class {capitalized(rng.choice(NOUNS))}:\n" + textwrap.indent("\n\n".join(parts), "    ") + "\n"
