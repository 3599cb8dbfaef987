from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.server.http_client import joined_text, n_busy, open_stream, stream

PROMPTS = [f"Story number {number}: once upon a time" for number in range(16)]


def test_16_streams_at_once_each_get_the_text_they_get_alone(server: str) -> None:
    ask = partial(stream, server, n_predict=64)
    alone = [joined_text(ask(prompt=prompt)) for prompt in PROMPTS]
    with ThreadPoolExecutor(16) as clients:
        together = list(clients.map(lambda prompt: ask(prompt=prompt), PROMPTS))
    assert all(events[-1]["stop"] for events in together)
    assert [joined_text(events) for events in together] == alone


def test_streams_run_side_by_side(server: str) -> None:
    with open_stream(server, prompt="A long story"):
        assert stream(server, prompt="A short story", n_predict=2)[-1]["stop"]
        assert n_busy(server) >= 1
