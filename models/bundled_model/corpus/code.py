"""Python code: common small functions under many names, functions of random statements, and small classes."""

import textwrap
from random import Random
from string import Template

from models.bundled_model.corpus.code_recipes import RECIPES, Recipe
from models.bundled_model.corpus.phrasing import capitalized, split_words

VERBS = split_words(
    "get set make find check load save build read update create compute count send move open parse show"
)
NOUNS = split_words("user item name value list file data price total index key message page point size text word "
               "result order number score label row node token line list color path")  # fmt: skip
METHODS = split_words("append strip lower upper split add remove get pop sort update")
DEPTH = 2
PARAMETERS = {
    "N": ["a b c", "x y z", "first second third", "left right other", "num1 num2 num3", "value low high", "m n k",
          "width height depth", "number other limit"],
    "L": ["numbers", "items", "values", "data", "nums", "scores", "lst", "prices"],
    "W": ["words", "names", "lines", "strings", "texts"],
    "T": ["text other", "s t", "word suffix", "name title", "path text", "line part", "string end", "key value"],
    "D": ["table other", "mapping more", "d e", "settings changes", "scores extra"],
    "I": ["n", "count", "limit", "n", "times", "size"],
}  # fmt: skip
HINTS = {"N": ["int", "float"], "L": ["list[int]", "list[float]", "list"], "W": ["list[str]"], "T": ["str"],
         "D": ["dict", "dict[str, int]"], "I": ["int"], "bool": ["bool"], "None": ["None"]}  # fmt: skip
LOOP_VARIABLES = {"L": ["x", "item", "value", "number", "n"], "W": ["word", "w", "item", "name"]}


def function(rng: Random) -> str:
    """One function or class, as source text that ends in a line break."""
    return rng.choices([any_recipe, random_function, random_class], [14, 1, 1])[0](rng)


def module(rng: Random) -> str:
    """One to three functions or classes, two empty lines apart."""
    return "\n\n".join(function(rng) for _ in range(rng.choice([1, 1, 1, 2, 3])))


def from_recipe(recipe: Recipe, rng: Random) -> str:
    function, parameters = rng.choice(recipe.names), _parameters(recipe.kinds, rng)
    loop_pool = LOOP_VARIABLES.get(recipe.kinds[:1], ["c", "x", "item"])
    words = dict(zip("pqr", parameters, strict=False)) | {"f": function}
    words["v"] = rng.choice([name for name in loop_pool if name not in parameters])
    body = rng.choice(recipe.bodies)
    if rng.random() < 0.4:
        body = f'"""{recipe.doc}"""\n{body}'
    body = Template(body).substitute(words)
    return f"{_signature(function, recipe, parameters, rng)}\n{textwrap.indent(body, '    ')}\n"


def any_recipe(rng: Random) -> str:
    return from_recipe(rng.choice(RECIPES), rng)


def _parameters(kinds: str, rng: Random) -> list[str]:
    pools = {kind: rng.choice(PARAMETERS[kind]).split() for kind in sorted(set(kinds))}
    names: list[str] = []
    for kind in kinds:
        free = [name for name in pools[kind] if name not in names]
        names.append(free[0] if free else f"{pools[kind][0]}{len(names)}")
    return names


def _signature(function: str, recipe: Recipe, parameters: list[str], rng: Random) -> str:
    if rng.random() < 0.6:
        return f"def {function}({', '.join(parameters)}):"
    hinted = [f"{name}: {rng.choice(HINTS[kind])}" for name, kind in zip(parameters, recipe.kinds, strict=True)]
    return f"def {function}({', '.join(hinted)}) -> {rng.choice(HINTS[recipe.returns])}:"


def random_function(rng: Random) -> str:
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
