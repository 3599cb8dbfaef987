"""Measures the same requests on several servers in turn."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import requests

from benchmarks.harness.client import REQUEST_TIMEOUT, run_concurrently
from benchmarks.harness.llama_client import Endpoint
from benchmarks.harness.report import Rounds, format_number, median_ratio
from benchmarks.speculation.texts import ALL_WORKLOADS, MadeUp, Workload

PLAIN = "off"
"""The server without drafts."""

HEADER = (
    "text",
    "drafts",
    "clients",
    "best",
    "median",
    "best to off",
    "median to off",
    "CPU to off",
    "tokens",
    "drafted, accepted",
)


@dataclass(frozen=True)
class Target:
    """A running server, by its process."""

    endpoint: Endpoint
    pid: int

    @property
    def cpu_seconds(self) -> float:
        """What all threads of the server have computed so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Row:
    """One server on one workload."""

    text: str
    clients: int
    server: str
    best: float
    """Tokens/s, as `median` is."""
    median: float
    best_to_off: float
    """Ratio of the best round to that of the server without drafts."""
    median_to_off: float
    """Median over the rounds of the ratio to the server without drafts."""
    cpu_to_off: float
    """Ratio of the CPU time of a token, over all rounds, to that of the server without drafts."""
    generated: float
    """Tokens of a round, as `drafted` and `accepted` are; medians."""
    drafted: float
    accepted: float

    def cells(self) -> Sequence[object]:
        """Returns what the columns of `HEADER` show."""
        return (
            self.text,
            self.server,
            self.clients,
            format_number(self.best),
            format_number(self.median),
            f"{self.best_to_off:.3f} x",
            f"{self.median_to_off:.3f} x",
            f"{self.cpu_to_off:.3f} x",
            f"{self.generated:.0f}",
            f"{self.drafted:.0f}, {self.accepted:.0f}",
        )


class PromptMaker:
    """Makes the prompt of a workload: a chat if the model has a template for it."""

    def __init__(self, endpoint: Endpoint, *, has_template: bool) -> None:
        self._endpoint = endpoint
        self._has_template = has_template

    def make(self, workload: Workload | MadeUp) -> tuple[str, Mapping[str, object]]:
        """Returns the prompt, and the options of the request."""
        if isinstance(workload, MadeUp):
            return workload.prompt, workload.options(self._endpoint.tokenize(workload.prompt))
        if not self._has_template:
            return workload.plain_prompt(), workload.options
        body = {"messages": [{"role": "user", "content": workload.request}]}
        response = requests.post(f"{self._endpoint.url}/apply-template", json=body, timeout=REQUEST_TIMEOUT)
        response.raise_for_status()
        return response.json()["prompt"], workload.options


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    clients: int
    n_predict: int
    rounds: int


def measure(name: str, prompts: PromptMaker, targets: Sequence[Target], sizes: Sizes) -> list[Row]:
    """Returns a row for each server; the first server is the one without drafts."""
    prompt, options = prompts.make(ALL_WORKLOADS[name])
    rounds = []
    for number in range(sizes.rounds + 1):
        first = number % len(targets)
        values = {}
        for target in (*targets[first:], *targets[:first]):
            body = {"prompt": prompt, "n_predict": sizes.n_predict, "cache_prompt": True, **options}
            values[target.endpoint.name] = _run(target, body, sizes.clients, seed=1 + number * sizes.clients)
        rounds.append(values)
    return [_row(name, sizes.clients, target.endpoint.name, rounds[1:]) for target in targets]


def _run(target: Target, body: Mapping[str, object], n_clients: int, seed: int) -> dict[str, float]:
    """Returns the tokens of all clients, and these by the seconds until the last one has its answer."""
    calls = [partial(_complete, target.endpoint.url, {**body, "seed": seed + number}) for number in range(n_clients)]
    cpu_before = target.cpu_seconds
    timings, seconds = run_concurrently(calls)
    cpu_seconds = target.cpu_seconds - cpu_before
    totals = {name: float(sum(each.get(name, 0) for each in timings)) for name in _COUNTS}
    return {**totals, "tokens_per_second": totals["predicted_n"] / seconds, "cpu_seconds": cpu_seconds}


_COUNTS = ("predicted_n", "draft_n", "draft_n_accepted")


def _complete(url: str, body: Mapping[str, object]) -> Mapping[str, Any]:
    response = requests.post(f"{url}/completion", json=body, timeout=REQUEST_TIMEOUT)
    response.raise_for_status()
    timings: Mapping[str, Any] = response.json()["timings"]
    return timings


def _cpu_per_token(rounds: Rounds, server: str) -> float:
    return sum(each[server]["cpu_seconds"] for each in rounds) / sum(each[server]["predicted_n"] for each in rounds)


def _row(text: str, n_clients: int, server: str, rounds: Rounds) -> Row:
    values = [each[server] for each in rounds]
    best = max(each["tokens_per_second"] for each in values)
    return Row(
        text,
        n_clients,
        server,
        best=best,
        median=median(each["tokens_per_second"] for each in values),
        best_to_off=best / max(each[PLAIN]["tokens_per_second"] for each in rounds),
        median_to_off=median_ratio(rounds, "tokens_per_second", server, PLAIN) or 0.0,
        cpu_to_off=_cpu_per_token(rounds, server) / _cpu_per_token(rounds, PLAIN),
        generated=median(each["predicted_n"] for each in values),
        drafted=median(each["draft_n"] for each in values),
        accepted=median(each["draft_n_accepted"] for each in values),
    )
