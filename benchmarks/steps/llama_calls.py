"""Counts the calls of llama.cpp's functions, each of which goes through ctypes and releases the GIL."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import llama_cpp.llama_cpp as lib

_OF_THE_VOCABULARY = ("llama_vocab", "llama_token")


@contextmanager
def counted_llama_calls() -> Iterator[Counter[str]]:
    """Counts calls by name until the end of the context, in which each takes a fraction of a microsecond longer. Those
    of the vocabulary are not counted: what they return is kept, and threads in the background call them."""
    calls: Counter[str] = Counter()
    functions = {name: function for name, function in vars(lib).items() if name.startswith("llama_")}
    originals = {
        name: function
        for name, function in functions.items()
        if hasattr(function, "argtypes") and not name.startswith(_OF_THE_VOCABULARY)
    }
    try:
        for name, function in originals.items():
            setattr(lib, name, _counted(name, function, calls))
        yield calls
    finally:
        for name, function in originals.items():
            setattr(lib, name, function)


def _counted(name: str, function: Callable[..., Any], calls: Counter[str]) -> Callable[..., Any]:
    def call(*arguments: object) -> object:
        calls[name] += 1
        return function(*arguments)

    return call
