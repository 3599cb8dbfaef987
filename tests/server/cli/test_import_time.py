"""`--help` and `--version` answer without loading llama.cpp, whose libraries take most of a second."""

import subprocess
import sys


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True, timeout=60)


def test_reading_flags_does_not_load_llama_cpp() -> None:
    code = "import sys; import server.cli.configuration; print('llama_cpp' in sys.modules)"
    assert run("-c", code).stdout == "False\n"


def test_version_does_not_load_llama_cpp() -> None:
    result = run("-X", "importtime", "-m", "server", "--version")
    assert result.stdout.startswith("llama-slots ")
    loaded = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert "server.cli.configuration" in loaded
    assert "llama_cpp" not in loaded
