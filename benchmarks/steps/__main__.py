"""Where the time goes between two calls of llama_decode: python -m benchmarks.steps

--slots requests generate at once, without HTTP. The table has medians over the steps, in microseconds:

- decode: llama.cpp's part.
- sampling: from rows of logits, or the largest of them, to tokens.
- rest: the other work of the engine's thread in a step: text, stop strings, events, the next batch.
- between: from the end of a step to the beginning of the next.
- event loop: what the other thread spends on each step, in parallel with the engine's. It is a mean.
- calls: of llama.cpp's functions, in a step. It is a mean, with the steps that compute prompts.
"""

import argparse
from itertools import product

from benchmarks.harness.report import format_info, run_info, table_head, table_row
from benchmarks.steps.llama_calls import counted_llama_calls
from benchmarks.steps.measurement import Stopwatch, measure, run_on_event_loop, running_engine, steps_parser
from slots.completion.runner import CompletionRunner
from slots.llama import Context
from slots.sampling.step_sampler import StepSampler

BACKEND_SAMPLING = {"off": False, "on": True}
HEADER = ["slots", "backend sampling", "streamed", "decode", "sampling", "rest", "between", "event loop", "calls"]


async def run(arguments: argparse.Namespace, watch: Stopwatch) -> None:
    """Measures with each number of slots and prints rows of the table for it."""
    print(table_head(HEADER, n_labels=3))
    for n_slots, backend in product(arguments.slots, arguments.backend_sampling):
        async with running_engine(arguments, n_slots, backend_sampling=BACKEND_SAMPLING[backend]) as engine:
            for streamed in (False, True):
                with counted_llama_calls() as calls:
                    loop_seconds = await measure(engine, n_slots, arguments.tokens, watch, streamed=streamed)
                decode, sampling, step, between = map(watch.microseconds, ("decode", "sampling", "step", "between"))
                numbers = (decode, sampling, step - decode - sampling, between, 1e6 * loop_seconds)
                labels = [n_slots, backend, "yes" if streamed else "no"]
                n_calls = calls.total() / len(watch.seconds["step"])
                print(table_row([*labels, *(f"{number:,.0f}" for number in numbers), f"{n_calls:.1f}"]), flush=True)


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
    run_on_event_loop(run(arguments, watch))


if __name__ == "__main__":
    main()
