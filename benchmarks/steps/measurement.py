"""Engines that generate in all slots, and how long the methods of their threads take."""

import argparse
import asyncio
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from uvicorn import Config

from benchmarks.harness.arguments import make_parser
from slots.engine import Engine
from slots.options import ContextOptions, EngineOptions, ModelOptions
from slots.requests.request import CompletionRequest
from slots.requests.sampling_params import SamplingParams

N_PROMPT = 32
SAMPLING = SamplingParams(repeat_penalty=1.0, ignore_eos=True)
WARM_UP_SECONDS = 3.0
"""In which the engine prepares things in the background."""


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


def run_on_event_loop(benchmark: Coroutine[Any, Any, None]) -> None:
    """Runs a benchmark on the event loop that the server uses."""
    with asyncio.Runner(loop_factory=Config("").get_loop_factory()) as runner:
        runner.run(benchmark)


def steps_parser(description: str | None, slots: list[int]) -> argparse.ArgumentParser:
    """Returns a parser with the options of a benchmark that runs engines with several numbers of slots."""
    parser = make_parser(description)
    parser.add_argument("--slots", type=int, nargs="+", default=slots, help=f"(default: {' '.join(map(str, slots))})")
    parser.add_argument("--tokens", type=int, default=200, help="to generate for each request (default: 200)")
    parser.add_argument("--threads", type=int, default=0, help="of llama.cpp (default: all cores)")
    return parser
