"""What it costs to read a request: python -m benchmarks.requests.body

Microseconds from the bytes of a POST /completion with four options to the request for the engine: JSON, validation,
defaults, the prompt's tokens and a new session. The route's endpoint is called, and ended when it would submit the
request. The table has the best and the median of the rounds, each the mean of --calls calls, and the tokenizer's part.
"""

import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.harness.arguments import make_parser
from benchmarks.harness.report import format_info, markdown_table, run_info, run_rounds
from server.app import create_app
from server.generation import endpoint
from server.settings import Settings
from server.state import ServerState
from slots.engine import Engine
from slots.options import ContextOptions, EngineOptions, ModelOptions

PROMPT = "Once upon a time"
BODY = orjson.dumps({"prompt": PROMPT, "n_predict": 64, "temperature": 0.7, "stop": ["\n\n"]})


async def receive() -> dict[str, object]:
    """Returns the whole body at once, as servers receive a short one."""
    return {"type": "http.request", "body": BODY, "more_body": False}


class Submitted(Exception):
    """The request would now be submitted to the engine."""


def submit(*_arguments: object) -> None:
    """Raises Submitted."""
    raise Submitted


@contextmanager
def request_reader(engine: Engine) -> Iterator[Callable[[], None]]:
    """Yields a function that reads the body once."""
    app = create_app(ServerState(Settings(Path("model.gguf"), "model"), engine))
    post = next(route.endpoint for route in app.routes if isinstance(route, Route) and route.path == "/completion")
    scope = {"type": "http", "method": "POST", "path": "/completion", "headers": [], "app": app}
    with patch.object(endpoint.Generation, "run", submit):
        yield lambda: run_until_submitted(post(Request(dict(scope), receive)))


def run_until_submitted(coroutine: Coroutine[Any, Any, Response]) -> None:
    """Runs a coroutine until it raises Submitted, without an event loop, which would cost more than what is measured.
    Raises RuntimeError if it waits for something before."""
    try:
        coroutine.send(None)
    except Submitted:
        return
    coroutine.close()
    raise RuntimeError("a short body is read in another thread")


def microseconds(call: Callable[[], object], n_calls: int, n_rounds: int) -> list[float]:
    """Returns the mean of the calls of each round."""

    def measure(_number: int) -> float:
        started = time.perf_counter()
        for _call in range(n_calls):
            call()
        return 1e6 * (time.perf_counter() - started) / n_calls

    return run_rounds(n_rounds, measure)


def main() -> None:
    parser = make_parser(__doc__, n_rounds=500)
    parser.add_argument("--calls", type=int, default=50, help="in a round (default: 50)")
    arguments = parser.parse_args()
    info = run_info(model=arguments.model.name, rounds=arguments.rounds, calls=arguments.calls)
    print(f"microseconds; {format_info(info)}\n")
    engine = Engine.load(ModelOptions(arguments.model), ContextOptions(), EngineOptions(), lambda _share: None)
    with request_reader(engine) as read:
        both = microseconds(read, arguments.calls, arguments.rounds)
    tokenizer = microseconds(
        lambda: engine.vocab.tokenize(PROMPT, add_special=True, parse_special=True), arguments.calls, arguments.rounds
    )
    rows = [
        [name, f"{min(rounds):.1f}", f"{median(rounds):.1f}"]
        for name, rounds in {"read a request": both, "of it the tokenizer": tokenizer}.items()
    ]
    print(markdown_table(["", "best", "median"], rows))


if __name__ == "__main__":
    main()
