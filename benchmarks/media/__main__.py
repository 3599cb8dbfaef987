"""What a picture costs those who read along: python -m benchmarks.media [--peer PROGRAM]

Three clients stream texts. While they do, a fourth one sends a new picture. The table has the time from one token of
the streams to the next, alone and while the picture is worked on, and how long the fourth one waits for its token.

The projectors have random weights, and the size of those of real models (projector_file.py). With one a picture is 4
embeddings, so that the time is that of its encoding; with the other one it is 196, which are computed as a prompt is.
llama.cpp's server encodes pictures in the thread that computes all texts; ours in another one.

The rounds of the servers are interleaved; a first round does not count. A peer is llama.cpp's server: a program, which
is started with the same model, slots and projector and its default flags otherwise; benchmarks/README.md says how to
build it.
"""

import argparse
import base64
import struct
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import requests

from benchmarks.harness.arguments import make_parser
from benchmarks.harness.client import REQUEST_TIMEOUT, Answer
from benchmarks.harness.llama_client import Endpoint
from benchmarks.harness.peer import LLAMA_SERVER_HELP, llama_server_command, running_peer
from benchmarks.harness.prompts import TEXT, PromptTokens
from benchmarks.harness.report import (
    format_info,
    make_rows,
    run_info,
    run_rounds,
    workload_table,
    write_results,
)
from benchmarks.harness.server_process import start_our_server
from benchmarks.harness.workload import percentile_ms
from benchmarks.media.projector_file import write_projector
from models.shape import read_shape

N_STREAMS = 3
N_PROMPT, N_PREDICT = 32, 110
SLOT_TOKENS = 1024
SECONDS_BEFORE_PICTURE = 1.0
PICTURE_PIXELS = 224
BMP_HEADER = struct.Struct("<2sIIIIiiHHIIiiII")

PICTURES = {"encoding alone": True, "whole picture": False}
"""Workloads: whether the embeddings of the picture are pooled."""
PERCENTILES = {"p50": 50, "p99": 99, "longest": 100}
ALONE, DURING = "between tokens of the streams alone", "between tokens meanwhile"
RATIO = "the same, times that alone"
WAIT = "first token about the picture, ms"
MEASURES = (
    *(f"{name} {each}, ms" for name in (ALONE, DURING) for each in PERCENTILES),
    *(f"{RATIO}, {each}" for each in ("p50", "p99")),
    WAIT,
)
OURS = "ours"


def picture(seed: Sequence[int]) -> str:
    """Returns a picture of noise, which no cache knows, in base64."""
    pixels = np.random.default_rng(seed).bytes(3 * PICTURE_PIXELS**2)
    size = BMP_HEADER.size + len(pixels)
    header = BMP_HEADER.pack(
        b"BM", size, 0, BMP_HEADER.size, 40, PICTURE_PIXELS, PICTURE_PIXELS, 1, 24, 0, 0, 0, 0, 0, 0
    )
    return base64.b64encode(header + pixels).decode()


def measure(endpoint: Endpoint, prompts: PromptTokens, image: str) -> dict[str, float]:
    """Streams texts, sends a picture meanwhile, and returns what is measured, by name."""
    answers: list[tuple[float, Answer[list[int]]]] = []

    def stream(client_number: int) -> None:
        client, prompt = endpoint.clients(1)[0], drawn[client_number]
        started = time.perf_counter()
        answers.append((started, client.stream(prompt, N_PREDICT, ignore_eos=True)))

    drawn = [prompts.draw(N_PROMPT) for _ in range(N_STREAMS)]
    threads = [threading.Thread(target=stream, args=(number,)) for number in range(N_STREAMS)]
    for thread in threads:
        thread.start()
    time.sleep(SECONDS_BEFORE_PICTURE)
    begun = time.perf_counter()
    _ask_about(endpoint.url, image)
    ended = time.perf_counter()
    for thread in threads:
        thread.join()
    alone, during = pauses(answers, begun, ended)
    return {**summary(alone, during), WAIT: 1000 * (ended - begun)}


def summary(alone: Sequence[float], during: Sequence[float]) -> dict[str, float]:
    """Returns what is measured of the seconds between tokens, by name."""
    values = {
        f"{name} {each}, ms": percentile_ms(seconds, percent)
        for name, seconds in ((ALONE, alone), (DURING, during))
        for each, percent in PERCENTILES.items()
    }
    ratios = {
        f"{RATIO}, {each}": values[f"{DURING} {each}, ms"] / values[f"{ALONE} {each}, ms"] for each in ("p50", "p99")
    }
    return {**values, **ratios}


def _ask_about(server: str, image: str) -> None:
    marker = requests.get(f"{server}/props", timeout=REQUEST_TIMEOUT).json()["media_marker"]
    prompt = {"prompt_string": marker, "multimodal_data": [image]}
    body = {"prompt": prompt, "n_predict": 1, "cache_prompt": False}
    requests.post(f"{server}/completion", json=body, timeout=REQUEST_TIMEOUT).raise_for_status()


def pauses(
    answers: Sequence[tuple[float, Answer[list[int]]]], begun: float, ended: float
) -> tuple[list[float], list[float]]:
    """Returns the seconds between tokens, while all streams generate, outside of a time, and those of pauses that touch
    it."""
    times = [[started + arrival for arrival in answer.arrivals] for started, answer in answers]
    first, last = max(each[0] for each in times), min(each[-1] for each in times)
    alone: list[float] = []
    during: list[float] = []
    for earlier, later in chain.from_iterable(map(pairwise, times)):
        if earlier >= first and later <= last:
            (during if later > begun and earlier < ended else alone).append(later - earlier)
    return alone, during


def main() -> None:
    arguments = _arguments()
    info = run_info(model=arguments.model.name, rounds=arguments.rounds)
    rows, servers = [], [OURS]
    for workload, is_pooled in PICTURES.items():
        with TemporaryDirectory() as folder, ExitStack() as stack:
            projector = write_projector(Path(folder) / "mmproj.gguf", _n_embd(arguments.model), is_pooled=is_pooled)
            endpoints = _start(arguments, projector, stack)
            servers = [endpoint.name for endpoint in endpoints]
            measured = run_rounds(arguments.rounds, partial(_run_round, endpoints))
            rows += make_rows(workload, measured, servers, MEASURES)
    print(f"medians; {format_info(info)}\n\n{workload_table(rows, servers)}")
    write_results(arguments.json, info, servers=servers, rows=rows)


def _run_round(endpoints: Sequence[Endpoint], number: int) -> dict[str, dict[str, float]]:
    ordinary = endpoints[0].tokenize(TEXT)
    image = picture([number])
    return {each.name: measure(each, PromptTokens(ordinary, [number]), image) for each in endpoints}


def _n_embd(model: Path) -> int:
    """Returns how many numbers an embedding of the model has."""
    return read_shape(model).n_embd


def _start(arguments: argparse.Namespace, projector: Path, stack: ExitStack) -> list[Endpoint]:
    """Starts the servers with a projector for the model; the first one is ours."""
    n_slots = N_STREAMS + 1
    flags = ["--mmproj", str(projector)]
    sizes = ["--model", str(arguments.model), "-np", str(n_slots), "-c", str(n_slots * SLOT_TOKENS)]
    endpoints = [Endpoint(OURS, stack.enter_context(start_our_server(*sizes, *flags)).url)]
    if arguments.peer:
        command = [*llama_server_command(arguments.peer, arguments.model, n_slots, SLOT_TOKENS), *flags]
        endpoints.append(Endpoint("llama.cpp", stack.enter_context(running_peer(arguments.peer, command))))
        endpoints[0].check_same_model(endpoints[1])
    return endpoints


def _arguments() -> argparse.Namespace:
    parser = make_parser(__doc__, n_rounds=3, results="media.json")
    parser.add_argument("--peer", help=LLAMA_SERVER_HELP)
    return parser.parse_args()


if __name__ == "__main__":
    main()
