"""The bindings are imported without the package around them, which is there for who wants it."""

import os
import subprocess
import sys

import pytest


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_the_package_around_the_bindings_does_not_run() -> None:
    assert run("import sys, slots.llama; print('llama_cpp.llama' in sys.modules)") == "False\n"


def test_the_package_runs_for_who_asks_for_something_of_it() -> None:
    code = "import slots.llama; from llama_cpp import Llama; import llama_cpp; print(Llama is llama_cpp.llama.Llama)"
    assert run(code) == "True\n"


def test_the_bindings_are_loaded_once() -> None:
    code = "import slots.llama, llama_cpp.llama_cpp as ours; from llama_cpp import llama_cpp; print(llama_cpp is ours)"
    assert run(code) == "True\n"


def test_the_package_does_not_take_the_log_away() -> None:
    code = (
        "import pathlib, slots.llama; from llama_cpp import Llama; from slots.options import ModelOptions\n"
        "try: slots.llama.Model(ModelOptions(pathlib.Path('missing.gguf')), lambda _: None)\n"
        "except slots.errors.ModelLoadError as error: print(error)"
    )
    assert "No such file" in run(code)


def test_a_package_that_ran_before_stays_as_it_is() -> None:
    assert run("import llama_cpp; import slots.llama; print(llama_cpp.Llama.__name__)") == "Llama\n"


@pytest.mark.skipif(sys.platform != "linux", reason="llama.cpp's threads are libgomp's on Linux")
@pytest.mark.parametrize(
    ("environment", "spin_count"),
    [({}, "300"), ({"GOMP_SPINCOUNT": "5000"}, "5000"), ({"OMP_WAIT_POLICY": "passive"}, "0")],
)
def test_threads_spin_briefly_unless_the_environment_says_otherwise(
    environment: dict[str, str], spin_count: str
) -> None:
    for module in ("slots.engine", "slots.sampling", "slots.llama"):
        program = f"import {module}; from slots.llama import Model"
        variables = os.environ | {"OMP_DISPLAY_ENV": "verbose"} | environment
        run = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=True)
        assert f"GOMP_SPINCOUNT = '{spin_count}'" in run.stderr


def test_programs_that_are_started_do_not_inherit_the_spin_count() -> None:
    assert run("import os, slots.llama; print('GOMP_SPINCOUNT' in os.environ)") == "False\n"
