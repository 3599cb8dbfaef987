"""deploy/Dockerfile: linted, and its steps carried out, as far as they can be without a container."""

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.conftest import running_server
from tests.deploy.dockerfile import DOCKERFILE, ROOT, Image, instructions, stages
from tests.server.program import SECONDS

BACKENDS = ("cpu", "cuda")
HADOLINT = Path(sys.executable).with_name("hadolint")


def options(stage: list[tuple[str, str]], name: str) -> list[str]:
    return [arguments for instruction, arguments in stage if instruction == name]


def test_hadolint_has_no_complaint() -> None:
    if not HADOLINT.exists():
        pytest.skip("hadolint is not installed")
    done = subprocess.run([HADOLINT, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.skipif("CI" not in os.environ, reason="takes half a minute; CI=true runs it")
def test_its_steps_install_the_server(tmp_path: Path) -> None:
    image = Image(tmp_path)
    image.carry_out(stages("cpu")["build"])
    assert image.asked[0] == "apt-get update"
    assert "build-essential" in image.asked[1]
    program = image.inside("/opt/llama-slots/bin/llama-slots")
    environment = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")}
    done = subprocess.run([program, "--version"], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.startswith("llama-slots 0.")
    packaged = next(image.inside("/opt/llama-slots/lib").glob("python*/site-packages/server/api/docs_page/docs.html"))
    assert packaged.read_text() == (ROOT / "server/api/docs_page/docs.html").read_text()


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_image_that_runs_has_neither_compiler_nor_rights(backend: str, tmp_path: Path) -> None:
    stage = stages(backend)["run"]
    image = Image(tmp_path)
    image.carry_out([step for step in stage if step[0] == "RUN"])
    assert not any("build-essential" in asked for asked in image.asked)
    assert any(re.match(r"useradd --uid 10001 ", asked) for asked in image.asked)
    assert options(stage, "USER") == ["10001"]
    assert options(stage, "VOLUME") == ["/models"]
    assert image.inside("/models").is_dir()


@pytest.mark.parametrize(("backend", "flag"), [("cpu", "-DGGML_AVX2=ON"), ("cuda", "-DGGML_CUDA=ON")])
def test_a_build_argument_chooses_what_llama_cpp_is_compiled_for(backend: str, flag: str) -> None:
    stage = stages(backend)["build"]
    assert flag in options(stage, "ENV")[0]
    assert "-DGGML_NATIVE=OFF" in options(stage, "ENV")[0]
    assert "--no-binary llama-cpp-python" in options(stage, "RUN")[-1]
    assert ("ARG", "BACKEND=cpu") in instructions(DOCKERFILE.read_text())


def test_everything_that_is_copied_is_let_through() -> None:
    ignored = (ROOT / "deploy/Dockerfile.dockerignore").read_text().splitlines()
    for arguments in options(stages("cpu")["build"], "COPY"):
        for source in arguments.split()[:-1]:
            assert (ROOT / source).exists()
            assert f"!{source}" in ignored


def test_the_health_check_tells_a_server_that_works_from_none(tmp_path: Path) -> None:
    (check,) = options(stages("cpu")["run"], "HEALTHCHECK")
    command = json.loads(check[check.index("[") :])
    assert command[0] == "python3"

    def run(port: str) -> int:
        environment = {**os.environ, "LLAMA_ARG_PORT": port, "LLAMA_ARG_API_PREFIX": "/llm"}
        arguments = [sys.executable, *command[1:]]
        return subprocess.run(arguments, env=environment, timeout=SECONDS, capture_output=True, check=False).returncode

    with running_server(tmp_path, "--api-prefix", "/llm", "--api-key", "secret") as url:
        assert run(url.rpartition(":")[2]) == 0
    assert run("1") != 0
