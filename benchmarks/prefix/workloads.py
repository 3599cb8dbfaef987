"""Workloads whose prompts have a common prefix, and one without."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Any, Self

from benchmarks.harness.client import Answer, Client, Prompts, PromptT, Server, run_concurrently
from benchmarks.harness.workload import Round, Workload
from benchmarks.prefix.agents import Agents


@dataclass(frozen=True)
class Burst(Workload):
    """As many requests at once as there are slots, with a new common prefix."""

    n_slots: int = 8
    n_prefix: int = 768
    n_suffix: int = 16
    n_predict: int = 16

    @property
    def n_ctx(self) -> int:
        return self.n_prefix + self.n_suffix + self.n_predict

    def shrunk(self, n_tokens: int) -> Self:
        return replace(self, n_prefix=self.n_prefix - n_tokens)

    def run(self, server: Server[PromptT], prompts: Prompts[PromptT]) -> Round:
        drawn = _draw_prompts(prompts, self.n_slots, self.n_prefix, self.n_suffix)
        pairs = zip(server.clients(self.n_slots), drawn, strict=True)
        answers, seconds = run_concurrently(
            [partial(client.stream, prompt, self.n_predict) for client, prompt in pairs]
        )
        first_tokens = [answer.first_token_s for answer in answers]
        measured = {
            "tokens evaluated": _n_evaluated(answers),
            "for each new one": _n_evaluated(answers) / (self.n_prefix + self.n_slots * self.n_suffix),
            "seconds": seconds,
            "median first token, s": median(first_tokens),
            "last first token, s": max(first_tokens),
        }
        return Round(measured, answers)


@dataclass(frozen=True)
class Chats(Workload):
    """More conversations than slots. Each has its own cookie, and sends a turn as soon as the last one is answered.

    A prompt is everything so far and some new tokens. The last token of each answer but the last answer is new, too: it
    was generated, but its keys and values were not computed, since no token followed it.
    """

    n_slots: int = 4
    n_sessions: int = 16
    n_turns: int = 8
    n_user: int = 24
    """New tokens of each turn."""
    n_predict: int = 16

    @property
    def n_ctx(self) -> int:
        return self.n_turns * (self.n_user + self.n_predict)

    def shrunk(self, n_tokens: int) -> Self:
        return replace(self, n_turns=self.n_turns - -(-n_tokens // (self.n_user + self.n_predict)))

    def run(self, server: Server[PromptT], prompts: Prompts[PromptT]) -> Round:
        conversations = [
            [prompts.draw(self.n_user) for _turn in range(self.n_turns)] for _session in range(self.n_sessions)
        ]
        pairs = zip(server.clients(self.n_sessions), conversations, strict=True)
        sessions, seconds = run_concurrently([partial(self._session, client, turns) for client, turns in pairs])
        answers = [answer for session in sessions for answer in session]
        n_new = self.n_sessions * (self.n_turns * self.n_user + self.n_turns - 1)
        measured = {
            "tokens evaluated": _n_evaluated(answers),
            "for each new one": _n_evaluated(answers) / n_new,
            "seconds": seconds,
        }
        return Round(measured, answers)

    def _session(self, client: Client[PromptT], turns: Sequence[PromptT]) -> list[Answer[PromptT]]:
        answers = [client.complete(turns[0], self.n_predict)]
        for turn in turns[1:]:
            so_far = answers[-1].prompt + answers[-1].tokens
            answers.append(client.complete(so_far + turn, self.n_predict))
        return answers


@dataclass(frozen=True)
class PrefillThenGenerate(Workload):
    """As many prompts at once as there are slots, and, after all of them are computed, long answers to them.

    All tokens of the prompts count for their speed, whether they are computed or taken from another slot.
    """

    n_slots: int = 8
    n_common: int = 0
    n_own: int = 0
    n_predict: int = 64

    @property
    def n_ctx(self) -> int:
        return self.n_common + self.n_own + self.n_predict

    def shrunk(self, n_tokens: int) -> Self:
        if self.n_common > self.n_own:
            return replace(self, n_common=self.n_common - n_tokens)
        return replace(self, n_own=self.n_own - n_tokens)

    def run(self, server: Server[PromptT], prompts: Prompts[PromptT]) -> Round:
        drawn = _draw_prompts(prompts, self.n_slots, self.n_common, self.n_own)
        pairs = list(zip(server.clients(self.n_slots), drawn, strict=True))
        first, prefill_s = run_concurrently([partial(client.complete, prompt, 1) for client, prompt in pairs])
        answers, generation_s = run_concurrently(
            [partial(client.complete, prompt, self.n_predict) for client, prompt in pairs]
        )
        measured = {
            "tokens evaluated": _n_evaluated(first),
            "prompts, tokens/s": self.n_slots * (self.n_common + self.n_own) / prefill_s,
            "evaluated again": _n_evaluated(answers),
            "generated, tokens/s": sum(answer.n_generated for answer in answers) / generation_s,
        }
        return Round(measured, answers)


PrefixWorkload = Burst | Chats | PrefillThenGenerate | Agents

WORKLOADS: dict[str, PrefixWorkload] = {
    "burst": Burst(),
    "chat": Chats(),
    "long": PrefillThenGenerate(n_own=1024),
    "shared": PrefillThenGenerate(n_common=768, n_own=16),
    "agents": Agents(),
}


def _draw_prompts(prompts: Prompts[PromptT], n_prompts: int, n_common: int, n_own: int) -> list[PromptT]:
    common = prompts.draw(n_common)
    return [common + prompts.draw(n_own) for _prompt in range(n_prompts)]


def _n_evaluated(answers: Sequence[Answer[Any]]) -> int:
    return sum(answer.n_evaluated for answer in answers)
