"""What runs llama.cpp's own tests: where it takes them from, the program that they start, and how it counts."""

import io
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
import requests

from tests.clients.llama_cpp_suite import llama_server
from tests.clients.llama_cpp_suite.expectations import find_surprises, read_expected_failures
from tests.clients.llama_cpp_suite.models import STORIES, MissingModelError, find_models
from tests.clients.llama_cpp_suite.outcomes import Outcome, count_by_file, format_counts, read_outcomes
from tests.clients.llama_cpp_suite.sources import NEEDED, SourcesError, copy_tests

FILES = ("tools/server/tests/utils.py", "tools/server/tests/unit/test_basic.py", "models/templates/a.jinja")
REPORT = """<testsuites><testsuite>
<testcase classname="unit.test_a" name="test_one[1]"/>
<testcase classname="unit.test_a" name="test_one[2]"><failure/></testcase>
<testcase classname="unit.test_b" name="test_two"><skipped/></testcase>
<testcase classname="unit.test_b" name="test_three"><error/></testcase>
</testsuite></testsuites>"""
PASSED, FAILED = Outcome("unit/test_a.py", "test_one[1]", "passed"), Outcome("unit/test_a.py", "test_one[2]", "failed")


def write_sources(folder: Path) -> Path:
    for name in (*FILES, "src/llama.cpp"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_tests_are_copied_from_llama_cpp(tmp_path: Path) -> None:
    tests = copy_tests(write_sources(tmp_path / "llama.cpp"), tmp_path / "copy")
    assert tests == tmp_path / "copy" / NEEDED[0]
    assert files_below(tmp_path / "copy") == set(FILES)


def test_tests_are_copied_from_the_sources_of_the_bindings(tmp_path: Path) -> None:
    write_sources(tmp_path / "bindings" / "vendor" / "llama.cpp")
    copy_tests(tmp_path / "bindings", tmp_path / "copy")
    assert files_below(tmp_path / "copy") == set(FILES)


def test_tests_are_extracted_from_an_archive(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "archive.tar.gz", "w:gz") as archive:
        archive.add(write_sources(tmp_path / "sources"), "bindings-1.0/vendor/llama.cpp")
        outside = tarfile.TarInfo("bindings-1.0/vendor/llama.cpp/tools/server/tests/../../../../outside")
        archive.addfile(outside, io.BytesIO())
    copy_tests(tmp_path / "archive.tar.gz", tmp_path / "copy")
    assert files_below(tmp_path / "copy") == set(FILES)


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourcesError, match="holds no tools/server/tests"):
        copy_tests(tmp_path, tmp_path / "copy")


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingModelError, match=r"no\.gguf is missing"):
        find_models(tmp_path / "no.gguf", tmp_path)


@pytest.mark.skipif(not STORIES.exists(), reason="stories260K.gguf is not in ../shared/data")
def test_the_model_for_infill_is_made_of_the_other(tmp_path: Path) -> None:
    models = find_models(STORIES, tmp_path)
    assert set(models.values()) == {str(STORIES), str(tmp_path / "stories260K-infill.gguf")}
    assert (tmp_path / "stories260K-infill.gguf").stat().st_size > STORIES.stat().st_size


def test_only_the_flags_of_the_hub_are_left_out() -> None:
    arguments = ["--port", "1", "--offline", "--hf-repo", "a/b", "--hf-file", "c.gguf", "--no-jinja"]
    assert llama_server.without_hub(arguments) == ["--port", "1", "--no-jinja"]
    assert llama_server.value_of("--hf-file", arguments) == "c.gguf"
    assert llama_server.value_of("--model", arguments) is None


def test_without_its_model_the_program_answers_health_only() -> None:
    program = [sys.executable, llama_server.__file__, "--port", "0", "--hf-repo", "a/b"]
    environment = os.environ | {"LLAMA_CPP_SUITE_MODELS": json.dumps({})}
    with subprocess.Popen(program, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        url = said.split()[-1]
        try:
            assert said.startswith("The model a/b is not on this machine: only GET /health is answered, on http://")
            assert wait_for(f"{url}/health").status_code == 200
            response = requests.post(f"{url}/completion", json={}, timeout=10)
            assert (response.status_code, response.json()["error"]["type"]) == (501, "not_supported_error")
        finally:
            process.kill()


def wait_for(url: str) -> requests.Response:
    for _ in range(100):
        try:
            return requests.get(url, timeout=10)
        except requests.ConnectionError:
            time.sleep(0.05)
    pytest.fail(f"{url} does not answer")


def test_a_report_is_counted_by_file(tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text(REPORT)
    outcomes = read_outcomes(tmp_path / "report.xml")
    assert [outcome.result for outcome in outcomes] == ["passed", "failed", "skipped", "failed"]
    assert outcomes[0].test == "unit/test_a.py::test_one[1]"
    counts = count_by_file(outcomes)
    assert dict(counts["unit/test_a.py"]) == {"passed": 1, "failed": 1}
    assert format_counts(counts).splitlines()[-1].split() == ["together", "1", "2", "1"]


def test_a_test_that_fails_and_is_not_listed_is_a_surprise() -> None:
    assert find_surprises([PASSED, FAILED], []) == ["failed, and is not listed: unit/test_a.py::test_one[2]"]
    assert find_surprises([PASSED, FAILED], ["unit/test_a.py"]) == []
    assert find_surprises([PASSED, FAILED], ["unit/test_a.py::test_one"]) == []


def test_a_listed_test_that_passes_is_a_surprise() -> None:
    assert find_surprises([PASSED], ["unit/test_a.py"]) == ["passes, but is listed: unit/test_a.py"]


def test_every_listed_test_has_a_reason() -> None:
    expected = read_expected_failures()
    assert len(expected) > 5
    assert all(expected.values())
