"""Makes llama-cpp-python's bindings importable without the package around them.

`import llama_cpp.llama_cpp` would run `llama_cpp/__init__.py`, which imports a whole inference engine: two thirds of
the time and memory of the import, and nothing that is used here.
"""

import sys
from importlib.util import find_spec, module_from_spec


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


_defer_package("llama_cpp")
