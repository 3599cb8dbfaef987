"""Where each microsecond of a step goes, function by function: python -m benchmarks.step_profile

The engine's thread runs under cProfile while so many requests generate at once, without HTTP. Shown are the functions
that take the longest by themselves, without what they call: microseconds and calls for each step. llama.cpp's part is
in `decode`. The profiler adds about a quarter of a microsecond to each call; `benchmarks.steps` measures without it.
"""

import argparse
import asyncio
import cProfile
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

from benchmarks.harness.report import format_info, run_info
from benchmarks.steps import WARM_UP_SECONDS, Stopwatch, load_engine, measure
from models.source import BUNDLED_MODEL
from slots.completion.runner import CompletionRunner


class StepProfiler:
    """Profiles the steps of an engine, in the thread that runs them."""

    def __init__(self) -> None:
        self._profile = cProfile.Profile()

    def profile_steps(self) -> None:
        """Profile all steps from now on."""
        step: Callable[..., Any] = CompletionRunner.step

        def profiled(*arguments: object) -> object:
            return self._profile.runcall(step, *arguments)

        setattr(CompletionRunner, "step", profiled)  # noqa: B010 - mypy does not let methods be assigned

    def clear(self) -> None:
        """Forget all of it."""
        self._profile.clear()

    def rows(self, n_steps: int, n_functions: int) -> list[str]:
        """Returns the rows of a table: the functions that take the longest, and the sum of all others."""
        by_own_time = sorted(self._profile.getstats(), key=lambda entry: entry.inlinetime, reverse=True)
        longest, others = by_own_time[:n_functions], by_own_time[n_functions:]
        rows = [
            _row(_function_name(each.code), each.inlinetime / n_steps, each.callcount / n_steps) for each in longest
        ]
        seconds, n_calls = sum(each.inlinetime for each in others), sum(each.callcount for each in others)
        return [*rows, _row(f"{len(others)} others", seconds / n_steps, n_calls / n_steps)]


def _row(name: str, seconds: float, n_calls: float) -> str:
    return f"| {name} | {1e6 * seconds:,.1f} | {n_calls:,.1f} |"


def _function_name(code: CodeType | str) -> str:
    if isinstance(code, str):  # which the functions of C modules have
        return code
    file = Path(code.co_filename)
    return f"{file.parent.name}/{file.name}:{code.co_firstlineno} {code.co_name}"


async def run(arguments: argparse.Namespace, profiler: StepProfiler, watch: Stopwatch) -> None:
    """Profile with each number of slots and print a table for it."""
    for n_slots in arguments.slots:
        engine = load_engine(arguments.model, n_slots, arguments.threads, backend_sampling=False)
        engine.start(asyncio.get_running_loop())
        await asyncio.sleep(WARM_UP_SECONDS)
        profiler.clear()
        await measure(engine, n_slots, arguments.tokens, watch, streamed=False)
        engine.stop()
        print(f"\n| {n_slots} slots | microseconds a step | calls a step |\n| --- | ---: | ---: |")
        print("\n".join(profiler.rows(len(watch.seconds["step"]), arguments.functions)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=BUNDLED_MODEL, help="GGUF file (default: the bundled one)")
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--tokens", type=int, default=200, help="to generate for each request (default: 200)")
    parser.add_argument("--functions", type=int, default=25, help="to show (default: 25)")
    parser.add_argument("--threads", type=int, default=0, help="of llama.cpp (default: all cores)")
    arguments = parser.parse_args()
    profiler, watch = StepProfiler(), Stopwatch()
    profiler.profile_steps()
    watch.time_method(CompletionRunner, "step", "step")
    print(format_info(run_info(model=arguments.model.name, tokens=arguments.tokens)))
    asyncio.run(run(arguments, profiler, watch))


if __name__ == "__main__":
    main()
