"""Dockerfile: its instructions, carried out in a plain folder instead of a container."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy/Dockerfile"
SYSTEM_COMMANDS = ("apt-get", "useradd", "chown")
"""What changes the system of a container; here they only say what they were asked for."""


def instructions(text: str) -> list[tuple[str, str]]:
    """Returns the instructions of a Dockerfile, each with its arguments on one line."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in joined.splitlines()]


def stages(backend: str) -> dict[str, list[tuple[str, str]]]:
    """Returns the instructions of each stage, those of the stage that it is built from before its own."""
    found: dict[str, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] = []
    for name, arguments in instructions(DOCKERFILE.read_text()):
        if name == "FROM":
            image, _, stage = arguments.replace("${BACKEND}", backend).partition(" AS ")
            current = found[stage] = list(found.get(image, []))
        else:
            current.append((name, arguments))
    return found


@dataclass
class Image:
    """A folder that stands for the root of a container."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    asked: list[str] = field(default_factory=list)
    """The commands to the system that were left out."""

    def carry_out(self, steps: list[tuple[str, str]]) -> None:
        for name, arguments in steps:
            match name:
                case "ENV":
                    for key, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|(\S+))', arguments):
                        self.environment[key] = quoted or plain
                case "WORKDIR":
                    self.workdir = arguments
                    self.inside(arguments).mkdir(parents=True, exist_ok=True)
                case "COPY" if not arguments.startswith("--from"):
                    *sources, target = arguments.split()
                    for source in sources:
                        self._copy(source, target)
                case "RUN":
                    self._run(arguments)

    def inside(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def _copy(self, source: str, target: str) -> None:
        into = self.inside(self.workdir) / target
        if (ROOT / source).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.so", "*.c", "*.cpp", "bundled_model")
            shutil.copytree(ROOT / source, into, ignore=ignored)
        else:
            shutil.copy(ROOT / source, into)

    def _run(self, command: str) -> None:
        stubs = self.root / "stubs"
        stubs.mkdir(exist_ok=True)
        asked = self.root / "asked"
        for name in SYSTEM_COMMANDS:
            (stubs / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {asked}\n')
        (stubs / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        for stub in stubs.iterdir():
            stub.chmod(0o755)
        rewritten = re.sub(r"(?<=[\s\"=])/(opt/llama-slots|models|var/lib/apt/lists)", rf"{self.root}/\1", command)
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", rewritten],
            cwd=self.inside(self.workdir),
            env=self._run_environment(stubs),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        self.asked = asked.read_text().splitlines() if asked.exists() else []

    def _run_environment(self, stubs: Path) -> dict[str, str]:
        """What is installed here already need not be compiled again, nor do the optional kernels: a compiler that fails
        leaves them out."""
        installed = sysconfig.get_path("purelib")
        quick = {"PYTHONPATH": installed, "CC": "false", "CXX": "false"}
        return {**os.environ, **self.environment, **quick, "PATH": f"{stubs}:{os.environ['PATH']}"}
