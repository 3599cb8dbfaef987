"""What choosing a token costs, compared with llama.cpp's own samplers: python -m benchmarks.sampling

Microseconds per token and slot, medians over the rounds. Both sides get the same rows of logits, in turns, in one run,
each of them the 16 rows of a step one after the other, which are in the cache if they fit, as they are after the step
was computed. llama.cpp's time is that of llama_sampler_sample, which first makes a list of all candidates; the time of
its samplers alone is in the table, too. The bound is one pass over a row.

The first table is measured on one core. The second one is the same for steps with one row, as a server with one client
has them: that row bears all of Python's cost, which many rows share. The third one is for several cores: the 16 rows of
a step with one thread and with as many as there are cores, each time just after llama.cpp computed a step with as many.
"""

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import llama_cpp.llama_cpp as lib
import numpy as np

from benchmarks.harness.arguments import make_parser
from benchmarks.harness.report import format_info, markdown_table, run_info, run_rounds, write_results
from benchmarks.sampling.llama_rows import LlamaRows
from benchmarks.sampling.llama_samplers import Handle, LlamaCandidates, LlamaSampler, llama_handles
from slots.llama import Logits, Model
from slots.options import ModelOptions
from slots.requests.sampling_params import SamplerName, SamplingParams
from slots.sampling import RowSampler, Sampler, SamplerContext

VOCABULARIES = (4_096, 32_000, 151_936, 256_000)
N_ROWS = 16
SEED = 1
PROMPT = tuple(int(token) for token in np.random.default_rng(SEED).integers(0, 200, 256))
PLAIN = SamplingParams(repeat_penalty=1.0, seed=SEED, dry_sequence_breakers=())

CHAINS = {
    "greedy": PLAIN.replace(temperature=0.0),
    "default": PLAIN,
    "default, repeat_penalty 1.1": PLAIN.replace(repeat_penalty=1.1),
    "top_p alone": PLAIN.replace(samplers=(SamplerName.TOP_P,)),
    "min_p alone": PLAIN.replace(samplers=(SamplerName.MIN_P,)),
    "typical_p alone": PLAIN.replace(samplers=(SamplerName.TYP_P,), typical_p=0.9),
    "mirostat 2": PLAIN.replace(mirostat=2),
    "DRY": PLAIN.replace(dry_multiplier=0.8),
    "everything": PLAIN.replace(
        repeat_penalty=1.1,
        frequency_penalty=0.1,
        presence_penalty=0.1,
        dry_multiplier=0.8,
        top_n_sigma=3.0,
        top_k=100,
        tfs_z=0.95,
        typical_p=0.9,
        xtc_probability=0.5,
        dynatemp_range=0.2,
    ),
}


@dataclass(frozen=True)
class Cost:
    """Microseconds per token and slot."""

    n_vocab: int
    chain: str
    ours: float
    llama_cpp: float
    ratio: float
    """How many times as long llama.cpp takes, the median over the rounds."""
    samplers_alone: float
    """Of llama.cpp, with the list of candidates filled beforehand."""
    bound: float
    """One pass over a row: its maximum."""


@dataclass(frozen=True)
class ParallelCost:
    """Microseconds for the rows of a step."""

    n_vocab: int
    chain: str
    one_thread: float
    all_cores: float
    speedup: float


def logits(n_vocab: int, shape: str) -> Logits:
    """Returns rows like those of a language model, some tokens far above a broad rest, or flat ones: float32 of shape
    (rows, vocabulary)."""
    random = np.random.default_rng(SEED)
    if shape == "flat":
        return random.standard_normal((N_ROWS, n_vocab), np.float32)
    rows = 2 * random.standard_normal((N_ROWS, n_vocab), np.float32)
    n_likely = min(1000, n_vocab // 4)
    for row in rows:
        row[random.permutation(n_vocab)[:n_likely]] += 18 - 2 * np.log(np.arange(1, n_likely + 1))
    return rows


class OurSampler:
    """The samplers of this project on the rows of a step."""

    def __init__(self, params: SamplingParams, rows: Logits) -> None:
        self._source = rows
        self._rows = rows.copy()
        context = SamplerContext(n_vocab=rows.shape[1], n_ctx=4096)
        self.samplers = [Sampler(params, PROMPT, context) for _row in rows]
        self._one_thread = RowSampler(rows.shape[1], len(rows), 1)

    def fresh_rows(self) -> Logits:
        """Returns the rows as they were before samplers changed them."""
        np.copyto(self._rows, self._source)
        read_rows(self._rows)
        return self._rows

    def step(self) -> float:
        """Returns the seconds that it takes to choose the token of each row."""
        return self.step_with(self._one_thread)

    def step_with(self, row_sampler: RowSampler) -> float:
        """As `step`, on the threads of a row sampler."""
        rows = self.fresh_rows()
        start = time.perf_counter()
        row_sampler.sample(self.samplers, rows, range(len(rows)))
        return time.perf_counter() - start


class LlamaCppSampler:
    """The samplers of llama.cpp on the same rows."""

    def __init__(self, params: SamplingParams, rows: Logits, context: LlamaRows, model: Model) -> None:
        self._source = rows
        self._context = context
        self._list = LlamaCandidates(rows.shape[1])
        self._samplers = [LlamaSampler.chain(_handles(params, row.size, model)) for row in rows]
        for sampler in self._samplers:
            for token in PROMPT:
                sampler.accept(token)

    def close(self) -> None:
        for sampler in self._samplers:
            sampler.close()

    def step(self) -> float:
        """Returns the seconds that it takes to choose the token of each row."""
        read_rows(self._context.write(self._source))
        start = time.perf_counter()
        for number, sampler in enumerate(self._samplers):
            self._context.sample(sampler, number)
        return time.perf_counter() - start

    def step_without_candidate_list(self) -> float:
        """As `step`, but the lists of candidates are filled beforehand."""
        seconds = 0.0
        for sampler, row in zip(self._samplers, self._source, strict=True):
            candidates = self._list.fill(row)
            start = time.perf_counter()
            sampler.apply(candidates)
            sampler.accept(candidates.selected or 0)
            seconds += time.perf_counter() - start
        return seconds


def _handles(params: SamplingParams, n_vocab: int, model: Model) -> list[Handle]:
    if params.temperature == 0:
        return [lib.llama_sampler_init_greedy()]
    handles = llama_handles(params, n_vocab, SEED, model)
    return handles if params.mirostat else [*handles, lib.llama_sampler_init_dist(SEED)]


def measure(name: str, rows: Logits, context: LlamaRows, model: Model, n_rounds: int) -> Cost:
    """Returns the medians of one chain."""
    ours, theirs = OurSampler(CHAINS[name], rows), LlamaCppSampler(CHAINS[name], rows, context, model)
    rounds = run_rounds(
        n_rounds,
        lambda _number: (
            ours.step(),
            theirs.step(),
            theirs.step_without_candidate_list(),
            read_rows(ours.fresh_rows()),
        ),
    )
    theirs.close()
    our, their, alone, bound = (1e6 * median(seconds) / len(rows) for seconds in zip(*rounds, strict=True))
    return Cost(
        n_vocab=rows.shape[1],
        chain=name,
        ours=our,
        llama_cpp=their,
        ratio=median(their / our for our, their, _alone, _bound in rounds),
        samplers_alone=alone,
        bound=bound,
    )


def read_rows(rows: Logits) -> float:
    """Returns the seconds that it takes to read each row once."""
    start = time.perf_counter()
    for row in rows:
        row.max()
    return time.perf_counter() - start


def measure_cores(name: str, rows: Logits, context: LlamaRows, n_rounds: int, n_threads: int) -> ParallelCost:
    """Returns the medians of one chain on one core and on all of them, each after llama.cpp computed a step."""
    all_cores = RowSampler(rows.shape[1], len(rows), n_threads)
    ours = OurSampler(CHAINS[name], rows)

    def step(_number: int) -> tuple[float, float]:
        context.compute()
        single = ours.step()
        context.compute()
        return single, ours.step_with(all_cores)

    rounds = run_rounds(n_rounds, step)
    all_cores.close()
    return ParallelCost(
        n_vocab=rows.shape[1],
        chain=name,
        one_thread=1e6 * median(single for single, _ in rounds),
        all_cores=1e6 * median(several for _, several in rounds),
        speedup=median(single / several for single, several in rounds),
    )


def cost_table(costs: Sequence[Cost]) -> str:
    """Returns the costs as a table in Markdown."""
    header = ["vocabulary", "chain", "ours, µs", "llama.cpp, µs", "ratio", "its samplers alone, µs"]
    rows = [
        [
            cost.n_vocab,
            cost.chain,
            f"{cost.ours:.0f}",
            f"{cost.llama_cpp:.0f}",
            f"{cost.ratio:.1f}",
            f"{cost.samplers_alone:.0f}",
            f"{cost.ours / cost.bound:.1f}",
        ]
        for cost in costs
    ]
    return markdown_table([*header, "ours in passes over rows"], rows, n_labels=2)


def parallel_table(steps: Sequence[ParallelCost]) -> str:
    """Returns the times on one core and on all as a table in Markdown."""
    header = ["vocabulary", "chain", f"{N_ROWS} rows on one core, µs", "on all, µs", "speedup"]
    rows = [
        [step.n_vocab, step.chain, f"{step.one_thread:.0f}", f"{step.all_cores:.0f}", f"{step.speedup:.2f}"]
        for step in steps
    ]
    return markdown_table(header, rows, n_labels=2)


def read_arguments() -> argparse.Namespace:
    parser = make_parser(__doc__, n_rounds=25, results="sampling.json")
    parser.add_argument("--vocabularies", type=int, nargs="+", default=VOCABULARIES, help="sizes of synthetic rows")
    parser.add_argument("--chains", nargs="+", choices=CHAINS, default=list(CHAINS), help="(default: all)")
    parser.add_argument("--shape", choices=("peaked", "flat"), default="peaked", help="of the logits (default: peaked)")
    return parser.parse_args()


def main() -> None:
    arguments = read_arguments()
    n_threads = os.cpu_count() or 1
    info = run_info(numpy=np.__version__, logits=arguments.shape, rounds=arguments.rounds)
    model = Model(ModelOptions(arguments.model), lambda _share: None)
    costs, single, steps = [], [], []
    for n_vocab in arguments.vocabularies:
        rows = logits(n_vocab, arguments.shape)
        with LlamaRows(n_vocab, 1) as context:
            single += [measure(name, rows[:1], context, model, arguments.rounds) for name in arguments.chains]
        with LlamaRows(n_vocab, N_ROWS) as context:
            costs += [measure(name, rows, context, model, arguments.rounds) for name in arguments.chains]
            steps += [measure_cores(name, rows, context, arguments.rounds, n_threads) for name in arguments.chains]
    print(f"medians; {format_info(info)}\n{cost_table(costs)}")
    print(f"\nsteps with one row\n{cost_table(single)}")
    print(f"\n{parallel_table(steps)}")
    write_results(arguments.json, info, costs=costs, one_row=single, cores=steps)


if __name__ == "__main__":
    main()
