"""The workloads of the benchmark of prefixes."""

import pytest

from benchmarks.harness.client import Answer, Client, Server
from benchmarks.harness.prompts import PromptWords
from benchmarks.harness.workload import Workload
from benchmarks.prefix.agents import Agents
from benchmarks.prefix.workloads import WORKLOADS


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
def test_a_workload_is_made_as_small_as_a_short_context_needs(workload: Workload) -> None:
    assert 200 < workload.fit_to(256).n_ctx <= 256


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
def test_a_workload_stays_as_it_is_where_there_is_room(workload: Workload) -> None:
    assert workload.fit_to(8192) == workload


class EchoClient(Client[str]):
    """Answers with a call and keeps the prompts."""

    def __init__(self) -> None:
        self.prompts: list[str] = []

    def complete(self, prompt: str, n_predict: int, **options: object) -> Answer[str]:
        return self.stream(prompt, n_predict)

    def stream(self, prompt: str, n_predict: int, **_options: object) -> Answer[str]:
        self.prompts.append(prompt)
        return Answer(prompt, n_predict, f" call{len(self.prompts)}", 10, n_predict, [0.5])


class EchoServer(Server[str]):
    name = "echo"

    def __init__(self) -> None:
        self.asked: list[EchoClient] = []

    def clients(self, n_clients: int) -> list[EchoClient]:
        self.asked = [EchoClient() for _client in range(n_clients)]
        return self.asked


def test_an_agent_sends_everything_so_far_its_last_call_and_the_result_of_the_tool() -> None:
    server = EchoServer()
    Agents(n_slots=2, n_system=100, n_steps=3).run(server, PromptWords([1]))
    for client in server.asked:
        first, second, third = client.prompts
        assert second.startswith(f"{first} call1\nTool:")
        assert third.startswith(f"{second} call2\nTool:")


def test_agents_have_the_same_system_prompt_and_tasks_of_their_own() -> None:
    server = EchoServer()
    Agents(n_slots=2, n_system=100, n_steps=1).run(server, PromptWords([1]))
    (one,), (other,) = (client.prompts for client in server.asked)
    assert one != other
    assert one.split()[:100] == other.split()[:100]


def test_agents_of_the_same_seed_read_the_same_texts() -> None:
    one, other = EchoServer(), EchoServer()
    for server in (one, other):
        Agents(n_system=100, n_steps=4).run(server, PromptWords([7]))
    assert [client.prompts for client in one.asked] == [client.prompts for client in other.asked]
    other_seed = EchoServer()
    Agents(n_system=100, n_steps=4).run(other_seed, PromptWords([8]))
    assert one.asked[0].prompts[0] != other_seed.asked[0].prompts[0]


def test_what_agents_cannot_have_in_the_cache_is_one_system_prompt_and_what_each_reads() -> None:
    # 10 tokens are computed in each of 2 x 3 steps. New are the system prompt, for each agent its task, its results of
    # 24 and 40 or 40 and 64 tokens, and the last token of each of 2 calls.
    measured = Agents(n_slots=2, n_system=100, n_task=8, n_steps=3).run(EchoServer(), PromptWords([1])).measured
    assert measured["tokens evaluated"] == 60
    assert measured["for each new one"] == 60 / (100 + (8 + 64 + 2) + (8 + 104 + 2))
