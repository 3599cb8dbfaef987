"""The part of the samplers that is compiled; all else is in pyproject.toml."""

import sys

from Cython.Build import cythonize
from setuptools import Extension, setup

# Elsewhere compilers come without OpenMP.
OPENMP = ["-fopenmp"] if sys.platform.startswith("linux") else []
OPTIMIZED = ["-O3", "-g0"] if sys.platform != "win32" else []

extensions = [
    Extension(f"slots.sampling.{name}", [f"slots/sampling/{name}.pyx"], extra_compile_args=OPTIMIZED + OPENMP)
    for name in ("largest_of_rows", "side_by_side")
]
modules = cythonize(extensions, build_dir="build/cython")
for module in modules:  # which are others than those above
    module.extra_link_args = OPENMP
    module.optional = True  # the server runs without them, too
setup(ext_modules=modules)
