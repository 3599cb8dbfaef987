"""Small Python functions: everybody's recipes under many names, functions of random statements, small classes."""

import textwrap
from random import Random
from string import Template

from models.bundled_model.corpus.code_recipes import RECIPES, Recipe
from models.bundled_model.random_code import random_class, random_function

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


def from_recipe(recipe: Recipe, rng: Random) -> str:
    """One way to write the recipe's function."""
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
    """A function from any recipe."""
    return from_recipe(rng.choice(RECIPES), rng)


def function(rng: Random) -> str:
    """One function or class, as source text that ends in a line break."""
    return rng.choices([any_recipe, random_function, random_class], [14, 1, 1])[0](rng)


def module(rng: Random) -> str:
    """One to three functions or classes, two empty lines apart."""
    return "\n\n".join(function(rng) for _ in range(rng.choice([1, 1, 1, 2, 3])))
