"""A workload on several servers in turns, and whether the cache changes the texts."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.arguments import limit_n_ctx
from benchmarks.harness.client import Answer
from benchmarks.harness.llama_client import Endpoint
from benchmarks.harness.prompts import TEXT, PromptTokens
from benchmarks.harness.report import Rounds, maxima, median_ratio, medians
from benchmarks.harness.server_process import start_our_server
from benchmarks.prefix.texts import Agreement, Tolerance, UncachedServer, first_tokens
from benchmarks.prefix.workloads import WORKLOADS, PrefixWorkload

Flags = tuple[str, ...]

LAYOUTS: dict[str, Flags] = {"cells of their own": ("--no-kv-unified",), "one pool": ("--kv-unified",)}


@dataclass(frozen=True)
class Row:
    """The values of one server over all rounds."""

    workload: str
    server: str
    medians: dict[str, float]
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
    peers: Sequence[Endpoint] = ()

    def run(self, n_rounds: int) -> tuple[list[Row], list[TextResults]]:
        """Returns the medians of the rounds, empty without rounds, and the texts of a round before them."""
        with _servers(self.model, WORKLOADS[self.name], self.ours) as ours:
            servers = [*ours, *self._peers()]
            for server in servers[1:]:
                servers[0].check_same_model(server)
            workload = _fit_to_context(WORKLOADS[self.name], servers)
            ordinary = ours[0].tokenize(TEXT)

            def tokens(number: int) -> PromptTokens:
                return PromptTokens(ordinary, (self.seed, list(WORKLOADS).index(self.name), number))

            first = {server.name: workload.run(server, tokens(0)).answers for server in servers}
            texts = self._texts(ours, first)
            rounds = [
                {server.name: workload.run(server, tokens(number)).measured for server in servers}
                for number in range(1, n_rounds + 1)
            ]
        return _rows(self.name, rounds), texts

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

    def _peers(self) -> list[Endpoint]:
        n_slots = WORKLOADS[self.name].n_slots
        peers = [peer for peer in self.peers if peer.n_slots == n_slots]
        if self.peers and not peers:
            print(f"No peer has the {n_slots} slots that {self.name} is measured with.")
        return peers


@contextmanager
def _servers(model: Path, workload: PrefixWorkload, servers: Mapping[str, Flags]) -> Iterator[list[Endpoint]]:
    n_ctx = limit_n_ctx(256 * -(-workload.n_ctx // 256), model)
    flags = ("--model", str(model), "--parallel", str(workload.n_slots), "--ctx-size", str(workload.n_slots * n_ctx))
    with ExitStack() as stack:
        endpoints = []
        for name, more in servers.items():
            endpoints.append(Endpoint(name, stack.enter_context(start_our_server(*flags, *more)).url))
        yield endpoints


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
            maxima(rounds, server),
            {name: median_ratio(rounds, name, server, first) for name in measured},
        )
        for server, measured in rounds[0].items()
    ]
