"""Where the time goes between two calls of llama_decode: python -m benchmarks.steps

--slots requests generate at once, without HTTP. The table has medians over the steps, in microseconds:

- decode: llama.cpp's part.
- sampling: from rows of logits, or the largest of them, to tokens.
- rest: the other work of the engine's thread in a step: text, stop strings, events, the next batch.
- between: from the end of a step to the beginning of the next.
- event loop: what the other thread spends on each step, in parallel with the engine's. It is a mean.
"""

import argparse
import asyncio
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from benchmarks.harness.arguments import make_parser
from benchmarks.harness.report import format_info, run_info, table_head, table_row
from slots.completion.runner import CompletionRunner
from slots.engine import Engine
from slots.llama import Context
from slots.options import ContextOptions, EngineOptions, ModelOptions
from slots.requests.request import CompletionRequest
from slots.requests.sampling_params import SamplingParams
from slots.sampling.step_sampler import StepSampler

N_PROMPT = 32
SAMPLING = SamplingParams(repeat_penalty=1.0, ignore_eos=True)
WARM_UP_SECONDS = 3.0
"""In which the engine prepares things in the background."""
BACKEND_SAMPLING = {"off": False, "on": True}
HEADER = ["slots", "backend sampling", "streamed", "decode", "sampling", "rest", "between", "event loop"]


@dataclass
class Stopwatch:
    """How long some methods took, in seconds, by name."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _ended: float = 0.0

    def time_method(self, owner: type[Any], method: str, name: str) -> None:
        """Measures all calls of a method from now on."""
        run: Callable[..., Any] = getattr(owner, method)

        def timed(*arguments: object, **options: object) -> object:
            started = time.perf_counter()
            if name == "step" and self._ended:
                self.seconds["between"].append(started - self._ended)
            try:
                return run(*arguments, **options)
            finally:
                self._ended = time.perf_counter()
                self.seconds[name].append(self._ended - started)

        setattr(owner, method, timed)

    def clear(self) -> None:
        self.seconds.clear()
        self._ended = 0.0

    def microseconds(self, name: str) -> float:
        """Returns the median of the calls under a name."""
        return 1e6 * statistics.median(self.seconds[name])


@asynccontextmanager
async def running_engine(
    arguments: argparse.Namespace, n_slots: int, *, backend_sampling: bool
) -> AsyncIterator[Engine]:
    """Runs an engine that was loaded in a thread which has ended: as long as two threads that have run llama.cpp exist,
    its own threads do not wait for each other as they otherwise do."""
    context = ContextOptions(
        n_ctx=1024 * n_slots, n_parallel=n_slots, n_threads=arguments.threads, backend_sampling=backend_sampling
    )
    options = ModelOptions(arguments.model), context, EngineOptions()
    loaded: list[Engine] = []
    thread = threading.Thread(target=lambda: loaded.append(Engine.load(*options, lambda _share: None)))
    thread.start()
    thread.join()
    (engine,) = loaded
    engine.start(asyncio.get_running_loop())
    await asyncio.sleep(WARM_UP_SECONDS)
    yield engine
    engine.stop()


async def measure(engine: Engine, n_slots: int, n_tokens: int, watch: Stopwatch, *, streamed: bool) -> float:
    """Generates in all slots. Returns the CPU seconds of the event loop for each step."""

    async def generate(number: int) -> None:
        prompt = tuple((1000 + 97 * number + 7 * index) % engine.vocab.n_tokens for index in range(N_PROMPT))
        request = CompletionRequest(
            prompt, SAMPLING, n_predict=n_tokens, cache_prompt=False, is_streamed=streamed, slot_id=number
        )
        async for _event in engine.submit(request):
            pass

    watch.clear()
    started = time.thread_time()
    await asyncio.gather(*(generate(number) for number in range(n_slots)))
    return (time.thread_time() - started) / len(watch.seconds["step"])


async def run(arguments: argparse.Namespace, watch: Stopwatch) -> None:
    """Measures with each number of slots and prints rows of the table for it."""
    print(table_head(HEADER, n_labels=3))
    for n_slots, backend in product(arguments.slots, arguments.backend_sampling):
        async with running_engine(arguments, n_slots, backend_sampling=BACKEND_SAMPLING[backend]) as engine:
            for streamed in (False, True):
                loop_seconds = await measure(engine, n_slots, arguments.tokens, watch, streamed=streamed)
                decode, sampling, step, between = map(watch.microseconds, ("decode", "sampling", "step", "between"))
                numbers = (decode, sampling, step - decode - sampling, between, 1e6 * loop_seconds)
                labels = [n_slots, backend, "yes" if streamed else "no"]
                print(table_row([*labels, *(f"{number:,.0f}" for number in numbers)]), flush=True)


def steps_parser(description: str | None, slots: list[int]) -> argparse.ArgumentParser:
    """Returns a parser with the options of a benchmark that runs engines with several numbers of slots."""
    parser = make_parser(description)
    parser.add_argument("--slots", type=int, nargs="+", default=slots, help=f"(default: {' '.join(map(str, slots))})")
    parser.add_argument("--tokens", type=int, default=200, help="to generate for each request (default: 200)")
    parser.add_argument("--threads", type=int, default=0, help="of llama.cpp (default: all cores)")
    return parser


def main() -> None:
    parser = steps_parser(__doc__, [1, 4, 16])
    parser.add_argument(
        "--backend-sampling",
        nargs="+",
        choices=BACKEND_SAMPLING,
        default=["off"],
        help="whether llama.cpp finds the largest logits; compares both with: off on (default: off)",
    )
    arguments = parser.parse_args()
    watch = Stopwatch()
    watch.time_method(Context, "decode", "decode")
    watch.time_method(StepSampler, "sample", "sampling")
    watch.time_method(CompletionRunner, "step", "step")
    print(f"microseconds; {format_info(run_info(model=arguments.model.name, tokens=arguments.tokens))}\n")
    asyncio.run(run(arguments, watch))


if __name__ == "__main__":
    main()
