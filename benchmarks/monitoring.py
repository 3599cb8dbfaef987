"""What monitoring costs: a scrape, and what the engine's thread writes down in each step.

    python -m benchmarks.monitoring [--output FILE]

A scrape is timed as the server makes its text, in CPU time, after requests have filled all series. What a step of each
size writes down is timed alone, and compared with the shortest step of the bundled model of that size.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from models.source import BUNDLED_MODEL
from server.http.http_stats import HttpStats
from server.metrics.exposition import MetricsText
from slots.engine import Engine
from slots.metrics.engine_stats import EngineStats
from slots.options import ContextOptions, EngineOptions, ModelOptions
from slots.requests.request import CompletionRequest
from slots.requests.request_state import RequestState
from slots.requests.sampling_params import SamplingParams

MAX_SCRAPE_MS = 5.0
MAX_SHARE_OF_STEP = 0.01
SIZES = (1, 8, 32)
"""Slots in a step."""


def time_of(action: Callable[[], object], n_times: int) -> float:
    """Returns the CPU seconds of one call, the median of several groups of calls."""
    seconds = []
    for _ in range(9):
        started = time.thread_time()
        for _ in range(n_times):
            action()
        seconds.append((time.thread_time() - started) / n_times)
    return median(seconds)


async def generate(engine: Engine, n_requests: int, n_tokens: int) -> None:
    async def run_one() -> None:
        sampling = SamplingParams(ignore_eos=True)
        stream = engine.submit(CompletionRequest((1, 2, 3), sampling, n_predict=n_tokens))
        async for _ in stream:
            pass

    await asyncio.gather(*(run_one() for _ in range(n_requests)))


def measure_scrape_ms(engine: Engine) -> float:
    http = HttpStats()
    for number in range(50):
        http.responses[f"/endpoint/{number}", "POST", 200] += 1
    text = MetricsText(engine, http, "bundled")
    return 1000 * time_of(text.render, 20)


def measure_step_us(engine: Engine, size: int) -> float:
    """Returns the microseconds of a step that generates a token for `size` requests, without the time between steps."""
    stats = engine.stats
    before = stats.n_decodes, stats.decode_seconds + stats.sampling_seconds
    asyncio.run(_generate_on(engine, size, 200))
    n_steps = stats.n_decodes - before[0]
    return 1e6 * (stats.decode_seconds + stats.sampling_seconds - before[1]) / n_steps


async def _generate_on(engine: Engine, size: int, n_tokens: int) -> None:
    engine.start(asyncio.get_running_loop())
    await generate(engine, size, n_tokens)
    engine.stop()


def measure_record_us(size: int) -> float:
    """Returns the microseconds that a step of `size` requests spends on writing down its numbers."""
    stats = EngineStats()
    states = [RequestState(CompletionRequest((1,)), number) for number in range(size)]
    for state in states:
        state.latest_token_at = 0.0

    def record() -> None:
        started = time.perf_counter()
        stats.start_step(started)
        decoded, sampled = time.perf_counter(), time.perf_counter()
        for _ in states:
            stats.generated_tokens += 1
        stats.record_step(started, decoded, sampled, size)
        stats.record_tokens(states, sampled)

    return 1e6 * time_of(record, 2000)


def load(n_slots: int) -> Engine:
    context = ContextOptions(n_ctx=256 * n_slots, n_parallel=n_slots, n_threads=1)
    return Engine.load(ModelOptions(BUNDLED_MODEL), context, EngineOptions(), lambda _: None)


def run() -> dict[str, object]:
    steps = []
    scrape_ms = 0.0
    for size in SIZES:
        engine = load(size)
        step_us, record_us = measure_step_us(engine, size), measure_record_us(size)
        steps.append({"slots": size, "step_us": round(step_us, 1), "record_us": round(record_us, 2)})
        scrape_ms = max(scrape_ms, measure_scrape_ms(engine))
    return {"scrape_ms": round(scrape_ms, 2), "steps": steps}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="file for the results, as JSON")
    arguments = parser.parse_args()
    results = run()
    text = json.dumps(results, indent=2)
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
