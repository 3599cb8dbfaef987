"""Workloads with many clients at once."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Self

from benchmarks.harness.client import Answer, Client, Prompts, PromptT, Server, run_concurrently
from benchmarks.harness.workload import (
    Round,
    Workload,
    between_tokens_ms,
    first_token_ms,
    poisson_arrivals,
    shuffled_kinds,
)

SAMPLERS = {"temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05, "repeat_penalty": 1.0}
"""Spelled out, since servers have different defaults."""
PENALTY = {"repeat_penalty": 1.1, "repeat_last_n": 64}
"""The defaults of the llama-like API."""
N_PROMPT = 32
"""Tokens of a short prompt."""


@dataclass(frozen=True)
class ClosedLoop(Workload):
    """Clients that send the next request as soon as the last one is answered. No two prompts have a common prefix."""

    n_clients: int
    n_predict: int
    n_prompt: int = N_PROMPT
    n_requests: int = 1
    """Of each client, in a round."""
    streamed: bool = False
    options: Mapping[str, object] = field(default_factory=dict)
    """In addition to the samplers."""

    @property
    def n_ctx(self) -> int:
        return self.n_prompt + self.n_predict

    def shrunk(self, n_tokens: int) -> Self:
        return replace(self, n_predict=self.n_predict - n_tokens)

    def run(self, server: Server[PromptT], prompts: Prompts[PromptT]) -> Round:
        prompt_lists = [
            [prompts.draw(self.n_prompt) for _request in range(self.n_requests)] for _client in range(self.n_clients)
        ]
        pairs = zip(server.clients(self.n_clients), prompt_lists, strict=True)
        answer_lists, seconds = run_concurrently([partial(self._send, client, own) for client, own in pairs])
        answers = [answer for own in answer_lists for answer in own]
        measured = {"tokens/s": sum(answer.n_generated for answer in answers) / seconds}
        if self.streamed:
            measured |= first_token_ms(answers) | between_tokens_ms(answers)
        return Round(measured, answers)

    def _send(self, client: Client[PromptT], prompts: list[PromptT]) -> list[Answer[PromptT]]:
        ask = client.stream if self.streamed else client.complete
        return [ask(prompt, self.n_predict, **{**SAMPLERS, **self.options}) for prompt in prompts]


@dataclass(frozen=True)
class OpenLoop(Workload):
    """Requests at random times, whether or not the earlier ones are answered. Some have a long prompt and a short text,
    most have a short prompt and a longer text; measured is how long the latter wait because of the former."""

    per_second: float
    n_requests: int = 32
    n_long: int = 8
    n_long_prompt: int = 768
    n_long_predict: int = 8
    n_predict: int = 48
    n_prompt: int = N_PROMPT

    @property
    def n_ctx(self) -> int:
        return max(self.n_long_prompt + self.n_long_predict, self.n_prompt + self.n_predict)

    def shrunk(self, n_tokens: int) -> Self:
        n_ctx = self.n_ctx - n_tokens
        return replace(
            self,
            n_long_prompt=min(self.n_long_prompt, n_ctx - self.n_long_predict),
            n_predict=min(self.n_predict, n_ctx - self.n_prompt),
        )

    def run(self, server: Server[PromptT], prompts: Prompts[PromptT]) -> Round:
        arrivals = poisson_arrivals(self.n_requests, self.per_second, prompts.random)
        is_long = shuffled_kinds(self.n_requests, self.n_long, prompts.random)
        sizes = [
            (self.n_long_prompt, self.n_long_predict) if long else (self.n_prompt, self.n_predict) for long in is_long
        ]
        requests = [(prompts.draw(n_prompt), n_predict) for n_prompt, n_predict in sizes]
        timed = zip(server.clients(self.n_requests), arrivals, requests, strict=True)
        started = time.perf_counter()
        calls = [
            partial(_send_at, started + arrival, client, prompt, n_predict)
            for client, arrival, (prompt, n_predict) in timed
        ]
        answers, seconds = run_concurrently(calls)
        short = [answer for answer, long in zip(answers, is_long, strict=True) if not long]
        measured = {
            "seconds": seconds,
            **first_token_ms(short),
            **between_tokens_ms(short),
        }
        return Round(measured, answers)


def _send_at(moment: float, client: Client[PromptT], prompt: PromptT, n_predict: int) -> Answer[PromptT]:
    time.sleep(max(0.0, moment - time.perf_counter()))
    return client.stream(prompt, n_predict, **SAMPLERS)
