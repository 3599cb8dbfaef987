"""Prompts and endless requests for tests of the engine."""

import asyncio
from typing import Any

from slots.requests.request import CompletionRequest
from slots.requests.sampling_params import SamplingParams
from tests.slots.engine_runner import EngineRunner

PROMPTS = [
    "Once upon a time",
    "One day, a little girl named Lily",
    "Tom and Sam went to the park",
    "There was a big dog",
    "The cat was very",
    "Mom said",
    "In the forest",
    "A bird",
]
ENDLESS = SamplingParams(temperature=0.0, ignore_eos=True)


def endless(runner: EngineRunner, prompt: str = PROMPTS[0], **options: Any) -> CompletionRequest:
    """A request that ends with the context."""
    return CompletionRequest(runner.prompt(prompt), ENDLESS, **options)


async def wait_until_idle(runner: EngineRunner) -> None:
    while any(status.is_processing for status in runner.engine.slot_statuses()):  # noqa: ASYNC110
        await asyncio.sleep(0.005)
