"""Where the time goes between two calls of llama_decode: python -m benchmarks.steps

So many requests generate at once, without HTTP. Shown are medians over the steps, in microseconds:

- decode: llama.cpp's part.
- choosing: from rows of logits, or the largest of them, to tokens.
- rest: what else the engine's thread does in a step: text, stop strings, events, the next batch.
- between: from one step to the next.
- event loop: what the other thread spends on each step, beside the engine's. It is a mean.
"""

import argparse
import asyncio
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.harness.report import format_info, run_info
from models.source import BUNDLED_MODEL
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
"""Until what the engine prepares in the background is there."""


@dataclass
class Stopwatch:
    """How long some methods took, in seconds, by their names."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _ended: float = 0.0

    def time_method(self, owner: type[Any], method: str, name: str) -> None:
        """Take the time of a method from now on."""
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
        """Forget all of it."""
        self.seconds.clear()
        self._ended = 0.0

    def microseconds(self, name: str) -> float:
        """Returns the median of what was taken under a name."""
        return 1e6 * statistics.median(self.seconds[name])


BACKEND_SAMPLING = {"off": False, "on": True}


def load_engine(model: Path, n_slots: int, n_threads: int, *, backend_sampling: bool) -> Engine:
    """Returns an engine that was loaded in a thread which has ended: as long as two threads have run llama.cpp, its
    own threads do not wait for each other as they otherwise do."""
    context = ContextOptions(
        n_ctx=1024 * n_slots, n_parallel=n_slots, n_threads=n_threads, backend_sampling=backend_sampling
    )
    loaded: list[Engine] = []
    options = ModelOptions(model)
    thread = threading.Thread(target=lambda: loaded.append(Engine.load(options, context, EngineOptions(), _ignore)))
    thread.start()
    thread.join()
    return loaded[0]


def _ignore(_share: float) -> None:
    """Of the progress of a load."""


async def measure(engine: Engine, n_slots: int, n_tokens: int, watch: Stopwatch, *, streamed: bool) -> float:
    """Generate in all slots. Returns the CPU seconds of the event loop for each step."""

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
    """Measure with each number of slots and print rows of a table for it."""
    print("| slots | backend sampling | streamed | decode | choosing | rest | between | event loop |")
    print("| ---: | --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for n_slots, backend in product(arguments.slots, arguments.backend_sampling):
        engine = load_engine(arguments.model, n_slots, arguments.threads, backend_sampling=BACKEND_SAMPLING[backend])
        engine.start(asyncio.get_running_loop())
        await asyncio.sleep(WARM_UP_SECONDS)
        for streamed in (False, True):
            loop_seconds = await measure(engine, n_slots, arguments.tokens, watch, streamed=streamed)
            decode, sampling, step, between = map(watch.microseconds, ("decode", "choosing", "step", "between"))
            numbers = (decode, sampling, step - decode - sampling, between, 1e6 * loop_seconds)
            cells = " | ".join(f"{number:,.0f}" for number in numbers)
            print(f"| {n_slots} | {backend} | {'yes' if streamed else 'no'} | {cells} |", flush=True)
        engine.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=BUNDLED_MODEL, help="GGUF file (default: the bundled one)")
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--tokens", type=int, default=200, help="to generate for each request (default: 200)")
    parser.add_argument("--threads", type=int, default=0, help="of llama.cpp (default: all cores)")
    parser.add_argument(
        "--backend-sampling",
        nargs="+",
        choices=BACKEND_SAMPLING,
        default=["off"],
        help="whether llama.cpp finds the largest logits; both are compared with: off on (default: off)",
    )
    arguments = parser.parse_args()
    watch = Stopwatch()
    watch.time_method(Context, "decode", "decode")
    watch.time_method(StepSampler, "sample", "choosing")
    watch.time_method(CompletionRunner, "step", "step")
    print(f"microseconds; {format_info(run_info(model=arguments.model.name, tokens=arguments.tokens))}\n")
    asyncio.run(run(arguments, watch))


if __name__ == "__main__":
    main()
