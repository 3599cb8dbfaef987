"""What our program's memory is for: python -m benchmarks.memory.stages MODEL SLOTS TOKENS_OF_A_SLOT

Makes the large things that a server has one after the other, and prints as JSON how many bytes each has added to what
is resident, without the weights and the KV cache. What is given back to the allocator stays resident, so that a stage
counts what it needed in between, too.
"""

import argparse
import json
from importlib import import_module
from pathlib import Path

from benchmarks.memory.process import StageRecorder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("n_slots", type=int)
    parser.add_argument("n_ctx", type=int)
    arguments = parser.parse_args()
    stages = StageRecorder(arguments.model)
    stages.record("Python")
    import_module("server.lifecycle.launch")
    stages.record("packages and llama.cpp's libraries")
    # Imported only now, for it imports some of the packages.
    import_module("benchmarks.memory.parts").make_parts(stages, arguments.model, arguments.n_slots, arguments.n_ctx)
    print(json.dumps(stages.bytes_by_stage))


if __name__ == "__main__":
    main()
