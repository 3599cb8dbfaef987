"""The bindings are imported without the package around them, which is there for who wants it."""

import subprocess
import sys


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
