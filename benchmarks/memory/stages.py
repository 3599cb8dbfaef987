"""What our program's memory is used for: python -m benchmarks.memory.stages MODEL SLOTS TOKENS_OF_A_SLOT

Makes the large parts of a server one after the other, and prints as JSON how many resident bytes each has added,
without the weights and the KV cache. Memory that is freed stays resident, so that a stage counts what it needed
temporarily, too.
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
    import_module("server.lifecycle.serving")
    stages.record("packages and llama.cpp's libraries")
    # Imported only now, because it imports some of the packages.
    import_module("benchmarks.memory.parts").load_components(
        stages, arguments.model, arguments.n_slots, arguments.n_ctx
    )
    print(json.dumps(stages.bytes_by_stage))


if __name__ == "__main__":
    main()
