"""What is compiled; all else is in pyproject.toml."""

import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError, CompileError, LinkError

FOLDER = Path("slots/sampling/logits")
OPENMP = ["-fopenmp"] if sys.platform.startswith("linux") else []
# Without -ffp-contract=off, compilers for some processors fuse a * b + c, which rounds differently than numpy.
OPTIMIZED = ["-O3", "-g0", "-ffp-contract=off"] if sys.platform != "win32" else []


class BuildWhatCanBe(build_ext):
    """Builds without OpenMP where a compiler has none, and nothing where there is no compiler: the server runs, too."""

    def build_extension(self, ext: Extension) -> None:
        """Raises an error of the compiler, which is a warning for an optional extension."""
        if self.editable_mode or self.inplace:  # what was built before does not fit what is there now
            *folders, name = ext.name.split(".")
            for built in Path(*folders).glob(f"{name}.*.so"):
                built.unlink()
        ext.optional = True
        ext.extra_compile_args = OPTIMIZED + OPENMP
        ext.extra_link_args = OPENMP
        try:
            super().build_extension(ext)
        except (CCompilerError, CompileError, LinkError):
            ext.extra_compile_args, ext.extra_link_args = OPTIMIZED, []
            super().build_extension(ext)


setup(
    ext_modules=cythonize(
        [
            Extension(
                "slots.sampling.logits.top_k_kernel",
                [str(FOLDER / "top_k_kernel.pyx")],
                include_dirs=[str(FOLDER)],
                depends=[str(FOLDER / "fold.h")],
            ),
            Extension("slots.sampling.logits.sampling_kernel", [str(FOLDER / "sampling_kernel.pyx")]),
            Extension("slots.sampling.logits.openmp", [str(FOLDER / "openmp.pyx")]),
            Extension("slots.llama.vocab_kernel", ["slots/llama/vocab_kernel.pyx"]),
        ],
        build_dir="build/cython",
    ),
    cmdclass={"build_ext": BuildWhatCanBe},
)
