"""What our program's memory is for: python -m benchmarks.memory.stages MODEL SLOTS TOKENS_OF_A_SLOT

Makes the large things that a server has one after the other, and prints as JSON how many bytes each has added to what
is resident, without the weights and the KV cache. What is given back to the allocator stays resident, so that a stage
counts what it needed in between, too.
"""

import argparse
import json
import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from benchmarks.memory.process import mapped_bytes, resident_bytes


class Stages:
    """Takes down what is resident after each stage."""

    def __init__(self, model: Path) -> None:
        self._model = model
        self._before = 0
        self._found: dict[str, int] = {}

    def note(self, name: str, n_not_counted: int = 0) -> None:
        """Takes down what has been added since the last stage, but for so many bytes of it and pages of the model's
        file."""
        pid = os.getpid()
        now = resident_bytes(pid) - mapped_bytes(pid, self._model) - n_not_counted
        self._found[name] = now - self._before
        self._before = now + n_not_counted

    @property
    def found(self) -> Mapping[str, int]:
        """Bytes by stage, in order."""
        return self._found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("n_slots", type=int)
    parser.add_argument("n_ctx", type=int)
    arguments = parser.parse_args()
    stages = Stages(arguments.model)
    stages.note("Python")
    import_module("server.lifecycle.launch")
    stages.note("packages and llama.cpp's libraries")
    # Imported only now, for it imports some of the packages.
    import_module("benchmarks.memory_parts").make_parts(stages, arguments.model, arguments.n_slots, arguments.n_ctx)
    print(json.dumps(stages.found))


if __name__ == "__main__":
    main()
