"""A workload on several servers in turns, and whether the cache changes the texts."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.harness.arguments import limit_n_ctx
from benchmarks.harness.client import Answer
from benchmarks.harness.llama_client import Endpoint
from benchmarks.harness.machine_load import measure_other_load
from benchmarks.harness.peer import llama_server_command, running_peer
from benchmarks.harness.prompts import TEXT, PromptTokens
from benchmarks.harness.report import Rounds, maxima, median_ratio, medians, minima
from benchmarks.harness.server_process import start_our_server
from benchmarks.prefix.texts import Agreement, Tolerance, UncachedServer, first_tokens
from benchmarks.prefix.workloads import WORKLOADS, PrefixWorkload

Flags = tuple[str, ...]

WARM_UP_CTX = 256
"""Tokens of a slot in a first round whose texts are not compared."""
LAYOUTS: dict[str, Flags] = {"cells of their own": ("--no-kv-unified",), "one pool": ("--kv-unified",)}


@dataclass(frozen=True)
class Row:
    """The values of one server over all rounds."""

    workload: str
    server: str
    medians: dict[str, float]
    smallest: dict[str, float]
    largest: dict[str, float]
    ratios: dict[str, float | None]
    """Medians of the ratios to the first server."""


@dataclass(frozen=True)
class TextResults:
    """One server's answers compared with those without the cache."""

    model: str
    workload: str
    server: str
    agreement: Agreement


@dataclass(frozen=True)
class Comparison:
    """A workload on several servers."""

    model: Path
    name: str
    """Of the workload."""
    ours: Mapping[str, Flags]
    """The flags of our servers, by name."""
    tolerance: Tolerance
    seed: int
    peers: Sequence[str] = ()
    """Programs or URLs."""

    def run(self, n_rounds: int, *, with_texts: bool) -> tuple[list[Row], list[TextResults]]:
        """Returns what the rounds measure, empty without rounds, and the texts of a round before them, in whose place
        `with_texts` puts short ones that are not compared."""
        with self._servers() as (ours, peers):
            servers = [*ours, *peers]
            for server in servers[1:]:
                servers[0].check_same_model(server)
            workload = _fit_to_context(WORKLOADS[self.name], servers)
            ordinary = ours[0].tokenize(TEXT)

            def tokens(number: int) -> PromptTokens:
                seed = (self.seed, list(WORKLOADS).index(self.name), number)
                return PromptTokens(ordinary, seed, ours[0].tokenize)

            first_workload = workload if with_texts else workload.fit_to(WARM_UP_CTX)
            first = {server.name: first_workload.run(server, tokens(0)).answers for server in servers}
            texts = self._texts(ours, first) if with_texts else []
            rounds = [self._round(workload, servers, tokens, number) for number in range(1, n_rounds + 1)]
        return _rows(self.name, rounds), texts

    def _round(
        self,
        workload: PrefixWorkload,
        servers: Sequence[Endpoint],
        tokens: Callable[[int], PromptTokens],
        number: int,
    ) -> dict[str, dict[str, float]]:
        """Measures one round; the server that begins is another one in the next round."""
        measured: dict[str, dict[str, float]] = {server.name: {} for server in servers}
        for server in servers if number % 2 else reversed(servers):
            result, load = measure_other_load(partial(workload.run, server, tokens(number)))
            measured[server.name] = {**result.measured, "other programs, cores": load or 0.0}
        print(f"{self.name}, round {number}", file=sys.stderr, flush=True)
        return measured

    def _texts(
        self, servers: Sequence[Endpoint], answers: Mapping[str, Sequence[Answer[list[int]]]]
    ) -> list[TextResults]:
        # Everything is read with the cache before anything is computed without it, which fills the cache, too.
        first = {server.name: first_tokens(server, answers[server.name]) for server in servers}
        uncached = UncachedServer(servers[0])
        texts = []
        for name, likely in first.items():
            both = [uncached.compare(answer, each) for answer, each in zip(answers[name], likely, strict=True)]
            texts.append(TextResults(self.model.name, self.name, name, Agreement.count(both, self.tolerance)))
        return texts

    @contextmanager
    def _servers(self) -> Iterator[tuple[list[Endpoint], list[Endpoint]]]:
        """Yields our servers and the peers, with the slots of the workload."""
        n_slots, n_needed = WORKLOADS[self.name].n_slots, WORKLOADS[self.name].n_ctx
        n_ctx = limit_n_ctx(256 * -(-n_needed // 256), self.model)
        flags = ("--model", str(self.model), "--parallel", str(n_slots), "--ctx-size", str(n_slots * n_ctx))
        with ExitStack() as stack:
            ours = [
                Endpoint(name, stack.enter_context(start_our_server(*flags, *more)).url)
                for name, more in self.ours.items()
            ]
            urls = [
                stack.enter_context(running_peer(peer, llama_server_command(peer, self.model, n_slots, n_ctx)))
                for peer in self.peers
            ]
            peers = [peer for peer in (Endpoint("llama.cpp", url) for url in urls) if peer.n_slots == n_slots]
            if self.peers and not peers:
                print(f"No peer has the {n_slots} slots that {self.name} is measured with.")
            yield ours, peers


def _fit_to_context(workload: PrefixWorkload, servers: Sequence[Endpoint]) -> PrefixWorkload:
    fitted = workload.fit_to(min(server.n_ctx for server in servers))
    if fitted != workload:
        print(f"The context is too short for {workload}, so this is measured: {fitted}")
    return fitted


def _rows(workload: str, rounds: Rounds) -> list[Row]:
    if not rounds:
        return []
    first, *_others = rounds[0]
    return [
        Row(
            workload,
            server,
            medians(rounds, server),
            minima(rounds, server),
            maxima(rounds, server),
            {name: median_ratio(rounds, name, server, first) for name in measured},
        )
        for server, measured in rounds[0].items()
    ]
