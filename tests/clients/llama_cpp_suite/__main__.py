"""Runs the tests of llama.cpp's own server against this one, and compares the result with docs/llama_cpp_suite.md.

make test-llama-cpp SOURCES=llama_cpp_python-0.3.36.tar.gz
make test-llama-cpp SOURCES=path/to/llama.cpp ARGS="unit/test_basic.py -k props"
"""

import argparse
import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

from tests.clients.llama_cpp_suite import llama_server
from tests.clients.llama_cpp_suite.expectations import PAGE, find_surprises, read_expected_failures
from tests.clients.llama_cpp_suite.models import STORIES, MissingModelError, find_models
from tests.clients.llama_cpp_suite.outcomes import count_by_file, format_counts, read_outcomes
from tests.clients.llama_cpp_suite.sources import SourcesError, copy_tests

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / ".venv" / "llama-cpp-suite"
FILES = (
    *("basic", "chat_completion", "compat_anthropic", "compat_oai_responses", "completion", "ctx_shift", "ignore_eos"),
    *("infill", "metrics", "security", "sleep", "slot_save", "template", "tokenize"),
)
"""The files whose tests, or most of them, need no other model and no router."""


def main() -> int:
    options, arguments = parse_arguments()
    try:
        tests = copy_tests(options.sources, options.folder / "llama.cpp")
        models = find_models(options.model, options.folder)
    except (SourcesError, MissingModelError) as error:
        print(f"llama_cpp_suite: error: {error}", file=sys.stderr)
        return 2
    report = options.folder / "report.xml"
    report.unlink(missing_ok=True)
    (tests / "tmp").mkdir(exist_ok=True)  # where the tests save slots
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "LLAMA_SERVER_BIN_PATH": str(write_program(options.folder)),
        "LLAMA_CPP_SUITE_MODELS": json.dumps(models),
        "PORT": str(free_port()),
    }
    files = [] if any("unit/" in argument for argument in arguments) else [f"unit/test_{name}.py" for name in FILES]
    pytest = [options.python, "-m", "pytest", "-p", "no:cacheprovider", f"--junit-xml={report}"]
    subprocess.run([*pytest, *files, *arguments], cwd=tests, env=environment, check=False)
    return summarize(report)


def parse_arguments() -> tuple[argparse.Namespace, list[str]]:
    """Returns this program's options, and pytest's."""
    parser = argparse.ArgumentParser("llama_cpp_suite", None, __doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sources", type=Path, help="llama.cpp, or the source distribution of llama-cpp-python")
    parser.add_argument("--python", default=sys.executable, help="an interpreter with the packages of requirements.txt")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="for copies and results")
    parser.add_argument("--model", type=Path, default=STORIES, help="the path of stories260K.gguf")
    options, arguments = parser.parse_known_args()
    options.folder = options.folder.resolve()
    options.folder.mkdir(parents=True, exist_ok=True)
    return options, arguments


def write_program(folder: Path) -> Path:
    """Writes the program that stands for llama-server; returns its path."""
    program = folder / "llama-server"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P "{llama_server.__file__}" "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def summarize(report: Path) -> int:
    """Prints how many tests of each file passed, and what differs from the page. Returns the
    exit code: 1 if anything does."""
    if not report.exists():
        return 2  # pytest has said why
    outcomes = read_outcomes(report)
    surprises = find_surprises(outcomes, read_expected_failures())
    print(format_counts(count_by_file(outcomes)))
    print(f"What does not pass is listed, with the reasons, in {PAGE.relative_to(ROOT)}.")
    print("\n".join(surprises))
    return 1 if surprises else 0


if __name__ == "__main__":
    sys.exit(main())
