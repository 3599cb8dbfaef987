"""Requests with media that lose their cells to older ones, and are computed again."""

import asyncio
import logging

import pytest

from slots.options import EngineOptions
from slots.requests.sampling_params import SamplingParams
from tests.slots.engine_runner import WITH_RUNNER_UP, Completion, assert_same_text, read
from tests.slots.multimodal.media_files import BLUE, GREEN, RED, png
from tests.slots.multimodal.media_runner import MediaRunner, Piece, media_runner
from tests.slots.multimodal.projectors import MROPE, needs_tools

pytestmark = needs_tools

N_PREDICT = 70
SAMPLING: SamplingParams = WITH_RUNNER_UP
PROMPTS: list[tuple[Piece, ...]] = [
    ("Once there was a picture: ", png(colour), f" Tell {name} about it.")
    for colour, name in ((RED, "Anna"), (GREEN, "Ben"), (BLUE, "Clara"))
]


async def ask(runner: MediaRunner) -> list[Completion]:
    """Sends all prompts at once, and returns the texts."""
    streams = [await runner.submit(prompt, n_predict=N_PREDICT, sampling=SAMPLING) for prompt in PROMPTS]
    return list(await asyncio.gather(*map(read, streams)))


@pytest.mark.parametrize(
    ("kind", "cache_ram_mib"),
    [("janus_pro", 0), ("gemma3", 0), (MROPE, 0), ("janus_pro", 64)],
    ids=["causal, computed again", "not causal, computed again", "M-RoPE, computed again", "causal, parked"],
)
def test_a_request_that_is_preempted_goes_on_with_the_same_text(
    kind: str, cache_ram_mib: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "slots")
    texts: list[list[Completion]] = []
    for n_ctx in (2048, 256):
        options = EngineOptions(cache_ram_mib=cache_ram_mib)
        with media_runner(kind, options, kv_unified=True, n_parallel=3, n_ctx=n_ctx) as runner:

            async def test(runner: MediaRunner = runner) -> None:
                texts.append(await ask(runner))

            assert "is preempted" not in caplog.text
            runner.runner.run(test)
    assert "is preempted" in caplog.text
    for roomy, tight in zip(*texts, strict=True):
        assert len(tight.tokens) == N_PREDICT
        assert_same_text(roomy, tight)
