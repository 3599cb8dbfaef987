"""The lower bound of what generating costs: llama_decode and numpy's argmax in a loop, without a server."""

import argparse
import subprocess
import sys
import time
from dataclasses import astuple, dataclass
from pathlib import Path

from benchmarks.harness.prompts import TEXT
from slots.llama import Batch, Context, Model
from slots.options import ContextOptions, ModelOptions


@dataclass(frozen=True)
class BareLoopConfig:
    """What the loop does in a round."""

    model: Path
    n_sequences: int
    n_prompt: int
    """Of each sequence, in tokens."""
    n_predict: int
    """Tokens to generate for each."""
    n_threads: int
    """0 is one for each core."""


class BareLoop:
    """Generates greedily for a fixed number of sequences at once."""

    def __init__(self, config: BareLoopConfig) -> None:
        self._config = config
        model = Model(ModelOptions(config.model), lambda _share: None)
        n_ctx = 256 * -(-(config.n_prompt + config.n_predict) // 256)
        n_batch = max(2048, config.n_sequences * config.n_prompt)
        options = ContextOptions(
            n_ctx=n_ctx * config.n_sequences, n_batch=n_batch, n_parallel=config.n_sequences, n_threads=config.n_threads
        )
        self._context = Context(model, options)
        self._prompt = model.vocab.tokenize(TEXT, add_special=True, parse_special=False)[: config.n_prompt]

    def tokens_per_second(self) -> float:
        """Returns the tokens of all sequences by the seconds for them, prompts included."""
        batch = Batch(self._context.n_batch)
        started = time.perf_counter()
        for sequence in range(self._config.n_sequences):
            self._context.clear_sequence(sequence)
            batch.add(sequence, 0, self._prompt, last_logits=True)
        for step in range(self._config.n_predict):
            logits = self._context.decode(batch)
            batch.clear()
            for sequence, token in enumerate(logits.argmax(axis=1).tolist()):
                batch.add(sequence, len(self._prompt) + step, [token], last_logits=True)
        return self._config.n_sequences * self._config.n_predict / (time.perf_counter() - started)


class BareLoopProcess:
    """The loop in a process of its own, as servers are."""

    def __init__(self, config: BareLoopConfig) -> None:
        """Waits until the model is loaded."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.steps.bare_loop", *map(str, astuple(config))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._read()

    def tokens_per_second(self) -> float:
        """Returns the speed of one round, as `BareLoop` does."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._read())

    def close(self) -> None:
        self._process.communicate()

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the bare loop ended early")
        return line


def main() -> None:
    """Prints a line when it is ready, then runs a round for each line that it reads and prints its speed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    for number in ("n_sequences", "n_prompt", "n_predict", "n_threads"):
        parser.add_argument(number, type=int)
    loop = BareLoop(BareLoopConfig(**vars(parser.parse_args())))
    print("ready", flush=True)
    for _line in sys.stdin:
        print(loop.tokens_per_second(), flush=True)


if __name__ == "__main__":
    main()
