from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.server.asking import complete, stream

PROMPTS = [f"Story number {number}: once upon a time" for number in range(16)]
N_PREDICT = 16
NEAR_TIE = 0.05
"""Of two tokens whose logits are closer than this, the rounding of another batch may prefer the other one."""


def tokens_alone(server: str, prompt: str) -> list[int]:
    """Returns what a prompt gets with the server for itself, up to the first near tie."""
    result = complete(server, prompt=prompt, n_predict=N_PREDICT, n_probs=2, repeat_penalty=1)
    tokens = []
    for position in result["completion_probabilities"]:
        best, second = (top["logprob"] for top in position["top_logprobs"])
        if best - second < NEAR_TIE:
            break
        tokens.append(position["id"])
    return tokens


def test_16_streams_at_once_each_get_the_tokens_they_get_alone(server: str) -> None:
    alone = [tokens_alone(server, prompt) for prompt in PROMPTS]
    assert sum(map(len, alone)) > len(PROMPTS) * N_PREDICT / 2
    with ThreadPoolExecutor(16) as clients:
        ask = partial(stream, server, n_predict=N_PREDICT, repeat_penalty=1)
        told = list(clients.map(lambda prompt: ask(prompt=prompt), PROMPTS))
    for events, expected in zip(told, alone, strict=True):
        assert events[-1]["stop"]
        assert [token for event in events for token in event["tokens"]][: len(expected)] == expected


def test_streams_run_side_by_side(server: str) -> None:
    with ThreadPoolExecutor(2) as clients:
        long = clients.submit(stream, server, prompt="A long story", n_predict=300, ignore_eos=True)
        short = clients.submit(stream, server, prompt="A short story", n_predict=2)
        short.result()
        assert not long.done()
