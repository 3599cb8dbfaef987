"""Makes llama-cpp-python's bindings importable without the package around them, and its threads wait briefly.

`import llama_cpp.llama_cpp` would run `llama_cpp/__init__.py`, which imports a whole inference engine: two thirds of
the time and memory of the import, and nothing that is used here.
"""

import ctypes
import os
import sys
from contextlib import suppress
from importlib.util import find_spec, module_from_spec

SPIN_COUNT = "300"
"""How often a thread of llama.cpp looks whether the others have arrived at a barrier, before it sleeps. By default it
looks 300,000 times, for many milliseconds: where another program takes a core, two threads on the core that is left
keep it from each other for so long, hundreds of times in a step. docs/performance.md has measurements."""


def _limit_spinning() -> None:
    """Set libgomp's spin count, unless the environment says how to wait. libgomp reads it when it is loaded, which is
    now; programs that this one starts do not get it."""
    if "OMP_WAIT_POLICY" in os.environ or "GOMP_SPINCOUNT" in os.environ:
        return
    os.environ["GOMP_SPINCOUNT"] = SPIN_COUNT
    with suppress(OSError):  # where llama.cpp has other threads
        ctypes.CDLL("libgomp.so.1")
    del os.environ["GOMP_SPINCOUNT"]


def _defer_package(name: str) -> None:
    """Lets the modules of the package be imported without running the package itself, unless it has run already. It
    runs when an attribute of it is asked for that is not there, as by `from name import attribute`."""
    spec = find_spec(name)
    if name in sys.modules or spec is None or spec.loader is None:
        return
    package, run = module_from_spec(spec), spec.loader.exec_module

    def load_attribute(attribute: str) -> object:
        if attribute.startswith("__"):  # the import system asks for these
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        del package.__getattr__
        run(package)
        from slots.llama.log import install_log  # noqa: PLC0415 - imports the bindings itself

        install_log()  # the package has installed its own
        return getattr(package, attribute)

    package.__getattr__ = load_attribute  # type: ignore[method-assign]
    sys.modules[name] = package


_limit_spinning()
_defer_package("llama_cpp")
