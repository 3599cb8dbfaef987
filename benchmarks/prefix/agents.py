"""Coding agents, as a workload: prompts that begin with one long system prompt and grow step by step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Self

from benchmarks.harness.client import Answer, Client, Prompts, PromptT, Server, run_concurrently
from benchmarks.harness.workload import Round, Workload
from benchmarks.prefix.agent_text import system_text, task_text, tool_result_text

RESULT_SIZES = (24, 40, 64, 112, 160)
"""Tokens of the results of tools, from the exit status of a command to a part of a file, which take turns."""
MIN_SYSTEM = 64


@dataclass(frozen=True)
class Agents(Workload):
    """As many agents as slots, which work at the same time on tasks of their own. All have the same new system prompt
    with its tools.

    In each step an agent sends everything so far, gets the call of a tool, and appends the call and its result. The
    last token of each call but the last one is computed with the next step, since no token followed it.
    """

    n_slots: int = 4
    n_system: int = 6000
    """Tokens, tools included."""
    n_task: int = 32
    n_steps: int = 20
    n_call: int = 24
    """Tokens that are generated in each step."""

    @property
    def n_ctx(self) -> int:
        n_results = max(sum(self._result_sizes(agent)) for agent in range(self.n_slots))
        return self.n_system + self.n_task + self.n_steps * self.n_call + n_results

    def shrunk(self, n_tokens: int) -> Self:
        n_ctx = self.n_ctx - n_tokens
        shorter = self
        while shorter.n_steps > 1 and shorter.n_ctx - shorter.n_system > n_ctx - MIN_SYSTEM:
            shorter = replace(shorter, n_steps=shorter.n_steps - 1)
        return replace(shorter, n_system=min(self.n_system, n_ctx - (shorter.n_ctx - shorter.n_system)))

    def run(self, server: Server[PromptT], prompts: Prompts[PromptT]) -> Round:
        system = prompts.cut(system_text(prompts.random), self.n_system)
        tasks = [prompts.cut(task_text(prompts.random), self.n_task) for _agent in range(self.n_slots)]
        results = [
            [prompts.cut(tool_result_text(prompts.random), size) for size in self._result_sizes(agent)]
            for agent in range(self.n_slots)
        ]
        clients = server.clients(self.n_slots)
        calls = [
            partial(self._work, *each) for each in zip(clients, [system + task for task in tasks], results, strict=True)
        ]
        agents, seconds = run_concurrently(calls)
        answers = [answer for agent in agents for answer in agent]
        first_tokens = [answer.first_token_s for answer in answers]
        n_evaluated = sum(answer.n_evaluated for answer in answers)
        measured = {
            "tokens evaluated": n_evaluated,
            "for each new one": n_evaluated / self._n_new(),
            "seconds": seconds,
            "median first token, s": median(first_tokens),
            "last first token, s": max(first_tokens),
        }
        return Round(measured, answers)

    def _work(self, client: Client[PromptT], prompt: PromptT, results: Sequence[PromptT]) -> list[Answer[PromptT]]:
        answers = [client.stream(prompt, self.n_call)]
        for result in results:
            so_far = answers[-1].prompt + answers[-1].tokens
            answers.append(client.stream(so_far + result, self.n_call))
        return answers

    def _result_sizes(self, agent: int) -> list[int]:
        """Returns the tokens of each result but the last one, which is not sent."""
        return [RESULT_SIZES[(agent + step) % len(RESULT_SIZES)] for step in range(self.n_steps - 1)]

    def _n_new(self) -> int:
        n_own = sum(self.n_task + self.n_steps - 1 + sum(self._result_sizes(agent)) for agent in range(self.n_slots))
        return self.n_system + n_own
