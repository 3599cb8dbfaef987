"""Whether work is better done before a decode, or by another thread during it: python -m benchmarks.steps.overlap

One sequence generates. In each step --work microseconds of the processor's time are spent: not at all, by the same
thread before `llama_decode` while llama.cpp's threads wait, or by another thread that is woken just before it, as the
event loop is for each streamed token. The table has the median step in turns of --steps each, in microseconds: of the
best turn and of all turns.
"""

import argparse
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from statistics import median

from benchmarks.harness.arguments import make_parser
from benchmarks.harness.prompts import TEXT
from benchmarks.harness.report import format_info, run_info, table_head, table_row
from slots.llama import Batch, Context, Model
from slots.options import ContextOptions, ModelOptions

N_PROMPT = 32
HEADER = ["threads", "work", "best", "median", "more than none"]


def spend(seconds: float) -> None:
    """Keeps the processor busy for that much of this thread's time."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


class Worker:
    """A thread that works when it is woken."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._queue: SimpleQueue[bool] = SimpleQueue()
        self._work = work
        threading.Thread(target=self._run, daemon=True).start()

    def wake(self) -> None:
        self._queue.put(True)

    def close(self) -> None:
        self._queue.put(False)

    def _run(self) -> None:
        while self._queue.get():
            self._work()


class Generation:
    """One sequence that generates greedily."""

    def __init__(self, model: Model, n_threads: int) -> None:
        self._context = Context(model, ContextOptions(n_ctx=1024, n_parallel=1, n_threads=n_threads))
        self._batch = Batch(self._context.n_batch)
        self._prompt = model.vocab.tokenize(TEXT, add_special=True, parse_special=False)[:N_PROMPT]

    def step_seconds(self, n_steps: int, before_decode: Callable[[], None]) -> list[float]:
        """Starts anew. Returns the durations of the steps after the one for the prompt."""
        self._context.clear_sequence(0)
        seconds: list[float] = []
        tokens: Sequence[int] = self._prompt
        position, started = 0, time.perf_counter()
        for _step in range(n_steps + 1):
            before_decode()
            self._batch.clear()
            self._batch.add(0, position, tokens, last_logits=True)
            position += len(tokens)
            tokens = self._context.decode(self._batch).argmax(axis=1).tolist()
            ended = time.perf_counter()
            seconds.append(ended - started)
            started = ended
        return seconds[1:]

    def close(self) -> None:
        self._context.close()


def compare(arguments: argparse.Namespace, model: Model, n_threads: int) -> None:
    """Prints the rows of the table for a number of llama.cpp's threads."""

    def work() -> None:
        spend(1e-6 * arguments.work)

    worker = Worker(work)
    ways: dict[str, Callable[[], None]] = {"none": lambda: None, "before": work, "during": worker.wake}
    generation = Generation(model, n_threads)
    steps: dict[str, list[float]] = defaultdict(list)
    for _turn in range(arguments.turns):
        for name, before_decode in ways.items():
            steps[name].append(1e6 * median(generation.step_seconds(arguments.steps, before_decode)))
    worker.close()
    generation.close()
    for name, turns in steps.items():
        more = median(turn - none for turn, none in zip(turns, steps["none"], strict=True))
        numbers = [f"{number:,.0f}" for number in (min(turns), median(turns), more)]
        print(table_row([n_threads, name, *numbers]), flush=True)


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--work", type=float, default=100.0, help="in each step, in microseconds (default: 100)")
    parser.add_argument("--turns", type=int, default=10, help="of each way (default: 10)")
    parser.add_argument("--steps", type=int, default=40, help="of each turn (default: 40)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="of llama.cpp (default: 1 2)")
    arguments = parser.parse_args()
    print(f"microseconds; {format_info(run_info(model=arguments.model.name, work=arguments.work))}\n")
    print(table_head(HEADER, n_labels=2))
    model = Model(ModelOptions(arguments.model), lambda _share: None)
    for n_threads in arguments.threads:
        compare(arguments, model, n_threads)


if __name__ == "__main__":
    main()
