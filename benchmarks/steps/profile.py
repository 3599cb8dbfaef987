"""Where each microsecond of a step goes, function by function: python -m benchmarks.steps.profile

The engine's thread runs under cProfile while --slots requests generate at once, without HTTP. The tables have the
functions that take the longest by themselves, without what they call: microseconds and calls for each step. llama.cpp's
part is in `decode`. The profiler adds about a quarter of a microsecond to each call; `benchmarks.steps` measures
without it.
"""

import argparse
import cProfile
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

from benchmarks.harness.report import format_info, markdown_table, run_info
from benchmarks.steps.measurement import Stopwatch, measure, run_on_event_loop, running_engine, steps_parser
from slots.completion.runner import CompletionRunner


class StepProfiler:
    """Profiles the steps of an engine, in the thread that runs them."""

    def __init__(self) -> None:
        self._profile = cProfile.Profile()

    def profile_steps(self) -> None:
        """Profiles all steps from now on."""
        step: Callable[..., Any] = CompletionRunner.step

        def profiled(*arguments: object) -> object:
            return self._profile.runcall(step, *arguments)

        setattr(CompletionRunner, "step", profiled)  # noqa: B010 - mypy does not let methods be assigned

    def clear(self) -> None:
        self._profile.clear()

    def table(self, n_slots: int, n_steps: int, n_functions: int) -> str:
        """Returns the functions that take the longest, and the sum of all others, as a table in Markdown."""
        by_own_time = sorted(self._profile.getstats(), key=lambda entry: entry.inlinetime, reverse=True)
        longest, others = by_own_time[:n_functions], by_own_time[n_functions:]
        totals = [(_function_name(each.code), each.inlinetime, each.callcount) for each in longest]
        seconds, n_calls = sum(each.inlinetime for each in others), sum(each.callcount for each in others)
        totals.append((f"{len(others)} others", seconds, n_calls))
        rows = [[name, f"{1e6 * seconds / n_steps:,.1f}", f"{n / n_steps:,.1f}"] for name, seconds, n in totals]
        return markdown_table([f"{n_slots} slots", "microseconds a step", "calls a step"], rows)


def _function_name(code: CodeType | str) -> str:
    if isinstance(code, str):  # a function of a C module
        return code
    file = Path(code.co_filename)
    return f"{file.parent.name}/{file.name}:{code.co_firstlineno} {code.co_name}"


async def run(arguments: argparse.Namespace, profiler: StepProfiler, watch: Stopwatch) -> None:
    """Profiles with each number of slots and prints a table for it."""
    for n_slots in arguments.slots:
        async with running_engine(arguments, n_slots, backend_sampling=False) as engine:
            profiler.clear()
            await measure(engine, n_slots, arguments.tokens, watch, streamed=False)
        print(f"\n{profiler.table(n_slots, len(watch.seconds['step']), arguments.functions)}", flush=True)


def main() -> None:
    parser = steps_parser(__doc__, [1, 16])
    parser.add_argument("--functions", type=int, default=25, help="in a table (default: 25)")
    arguments = parser.parse_args()
    profiler, watch = StepProfiler(), Stopwatch()
    profiler.profile_steps()
    watch.time_method(CompletionRunner, "step", "step")
    print(format_info(run_info(model=arguments.model.name, tokens=arguments.tokens)))
    run_on_event_loop(run(arguments, profiler, watch))


if __name__ == "__main__":
    main()
