"""The comparison of servers, on recorded numbers, times and streams."""

import json
from collections.abc import Iterator
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.harness.client import Answer, Client, Prompts, Server, read_events
from benchmarks.harness.openai_client import get_text
from benchmarks.harness.prompts import PromptTokens, PromptWords
from benchmarks.harness.report import maxima, median_ratio, medians, table_row
from benchmarks.harness.workload import (
    Round,
    Workload,
    between_tokens_ms,
    first_token_ms,
    percentile_ms,
    poisson_arrivals,
    shuffled_kinds,
)
from benchmarks.serve.comparison import (
    BARE_LOOP,
    OTHER_PROGRAMS,
    Comparison,
    Row,
    rows_from_rounds,
    table_cells,
    table_header,
)
from benchmarks.serve.setup import draw_chart
from benchmarks.serve.workloads import SAMPLERS, ClosedLoop, OpenLoop

ROUNDS = [
    {
        "ours": {"tokens/s": 90.0, "wait, ms": 2.0},
        "peer": {"tokens/s": 60.0, "wait, ms": 8.0},
        BARE_LOOP: {"tokens/s": 100.0},
    },
    {
        "ours": {"tokens/s": 80.0, "wait, ms": 4.0},
        "peer": {"tokens/s": 40.0, "wait, ms": 8.0},
        BARE_LOOP: {"tokens/s": 100.0},
    },
    {
        "ours": {"tokens/s": 20.0, "wait, ms": 9.0},
        "peer": {"tokens/s": 10.0, "wait, ms": 9.0},
        BARE_LOOP: {"tokens/s": 50.0},
    },
]


def answer(*arrivals: float) -> Answer[list[int]]:
    return Answer([1], len(arrivals), [2] * len(arrivals), 1, len(arrivals), arrivals)


def test_medians_are_those_of_each_server() -> None:
    assert medians(ROUNDS, "peer") == {"tokens/s": 40.0, "wait, ms": 8.0}


def test_the_largest_are_those_of_any_round() -> None:
    assert maxima(ROUNDS, "ours") == {"tokens/s": 90.0, "wait, ms": 9.0}


def test_a_ratio_is_the_median_of_those_of_the_rounds() -> None:
    assert median_ratio(ROUNDS, "tokens/s", "ours", "peer") == 2.0
    assert median_ratio(ROUNDS, "wait, ms", "ours", "peer") == 0.5


def test_there_is_no_ratio_to_nothing() -> None:
    assert median_ratio([{"ours": {"n": 1.0}, "peer": {"n": 0.0}}], "n", "ours", "peer") is None


def test_more_speed_and_less_time_are_better() -> None:
    speed, wait = rows_from_rounds("16 clients", ROUNDS, ["ours", "peer"])
    assert speed.ratio_to_peer == 2.0
    assert wait.ratio_to_peer == 2.0


def test_only_a_speed_has_a_share_of_the_bare_loop() -> None:
    speed, wait = rows_from_rounds("16 clients", ROUNDS, ["ours", "peer"])
    assert speed.share_of_bare_loop == 0.8
    assert speed.medians == {"ours": 80.0, "peer": 40.0, BARE_LOOP: 100.0}
    assert wait.share_of_bare_loop is None
    assert BARE_LOOP not in wait.medians


def test_without_a_peer_nothing_is_better() -> None:
    alone = [{"ours": each["ours"]} for each in ROUNDS]
    assert [row.ratio_to_peer for row in rows_from_rounds("16 clients", alone, ["ours"])] == [None, None]


def test_nothing_is_better_than_what_a_peer_does_not_tell() -> None:
    rounds = [{"ours": {"tokens evaluated": 896.0}, "peer": {"tokens evaluated": 0.0}}]
    assert [row.ratio_to_peer for row in rows_from_rounds("burst", rounds, ["ours", "peer"])] == [None]


def test_a_line_of_the_table_has_a_cell_for_each_column() -> None:
    row = Row(
        "16 clients", "tokens/s", {"ours": 1234.5, "peer": 1.25}, {"ours": 1300, "peer": 2}, 987.6, 1.5, None, 0.1
    )
    cells = table_cells(row, ["ours", "peer"])
    assert table_row(cells) == "| 16 clients | tokens/s | 1,234 | 1,300 | 1.2 | 2.0 | 988 x | 1.50 x |  |  | 0.10 |"
    assert len(table_header(["ours", "peer"])) == len(cells)


def test_the_best_round_is_the_fastest_or_the_one_with_the_shortest_wait() -> None:
    speed, wait = rows_from_rounds("16 clients", ROUNDS, ["ours", "peer"])
    assert speed.best == {"ours": 90.0, "peer": 60.0, BARE_LOOP: 100.0}
    assert speed.ratio_of_best == 1.5
    assert wait.best == {"ours": 2.0, "peer": 8.0}
    assert wait.ratio_of_best == 4.0


def test_the_load_of_other_programs_is_no_row_but_a_median_beside_each() -> None:
    rounds = [
        {"ours": {"tokens/s": 1.0, OTHER_PROGRAMS: load}, "peer": {"tokens/s": 1.0, OTHER_PROGRAMS: load}}
        for load in (0.0, 0.5, 2.0)
    ]
    (row,) = rows_from_rounds("16 clients", rounds, ["ours", "peer"])
    assert row.measure == "tokens/s"
    assert row.other_programs == 0.5


def test_the_server_that_begins_is_another_one_in_the_next_round() -> None:
    begun: list[str] = []

    class Begun(Workload):
        n_ctx = 1

        def shrunk(self, n_tokens: int) -> "Begun":
            return self

        def run(self, server: Server[Any], prompts: Prompts[Any]) -> Round:
            begun.append(server.name)
            return Round({"tokens/s": 1.0}, [])

    ours, peer = RecordingServer("ours"), RecordingServer("peer")
    comparison = Comparison(Path("model.gguf"), [ours, peer], PromptWords, 1, 0, {"1 client": Begun()})
    measured = [comparison.measure(index, {}) for index in (1, 2)]
    assert begun == ["ours", "peer", "peer", "ours"]
    assert [list(each["1 client"]) for each in measured] == [["ours", "peer"]] * 2


def test_there_is_no_chart_without_speeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw_chart(tmp_path / "burst.json", [Row("burst", "seconds", {"ours": 1.0}, {"ours": 1.0}, None, None, None, 0.0)])
    assert not (tmp_path / "burst.svg").exists()
    assert "a chart shows speeds only" in capsys.readouterr().out


def test_percentiles_are_in_milliseconds() -> None:
    assert percentile_ms([0.3, 0.1, 0.2], 50) == pytest.approx(200)
    assert isnan(percentile_ms([], 50))


def test_waiting_is_to_the_first_token_and_from_each_to_the_next() -> None:
    answers = [answer(1.0, 1.1, 1.4), answer(3.0, 3.2)]
    assert first_token_ms(answers)["first token p50, ms"] == pytest.approx(2000)
    assert between_tokens_ms(answers)["between tokens p50, ms"] == pytest.approx(200)


def test_requests_come_at_random_but_at_the_rate() -> None:
    arrivals = poisson_arrivals(20_000, 4.0, np.random.default_rng(1))
    gaps = np.diff([0.0, *arrivals])
    assert gaps.min() >= 0
    assert gaps.mean() == pytest.approx(1 / 4, rel=0.03)
    assert gaps.std() == pytest.approx(1 / 4, rel=0.03)  # as the mean, which is so of no regular schedule


def test_the_same_seed_gives_the_same_schedule_to_each_server() -> None:
    one, two = (poisson_arrivals(8, 4.0, np.random.default_rng(7)) for _server in range(2))
    assert one == two


def test_as_many_requests_are_long_as_there_are_to_be() -> None:
    orders = {tuple(shuffled_kinds(12, 3, np.random.default_rng(seed))) for seed in range(5)}
    assert {sum(order) for order in orders} == {3}
    assert len(orders) > 1


def test_events_are_read_without_comments_and_without_the_end() -> None:
    lines = [b": ping", b"", b'data: {"content": "a"}', b"", b'data:{"content":"b"}', b"data: [DONE]"]
    events = read_events(enumerate(lines))
    assert [(event.seconds, event.data["content"]) for event in events] == [(2, "a"), (4, "b")]


def test_an_error_in_a_stream_is_raised() -> None:
    with pytest.raises(RuntimeError, match="no memory"):
        read_events([(0.0, b'data: {"error": {"message": "no memory"}}')])


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ('{"choices": [{"text": "a"}]}', "a"),
        ('{"choices": [{"delta": {"content": "b"}}]}', "b"),
        ('{"choices": [{"message": {"content": "c"}}]}', "c"),
        ('{"choices": [{"delta": {"role": "assistant", "content": null}}]}', ""),
        ('{"choices": [], "usage": {"completion_tokens": 3}}', ""),
    ],
)
def test_the_text_is_found_in_answers_and_events_of_openais_dialect(data: str, text: str) -> None:
    assert get_text(json.loads(data)) == text


def test_prompts_of_the_same_seed_are_the_same_and_no_others() -> None:
    assert PromptWords([1]).draw(9) == PromptWords([1]).draw(9)
    assert PromptWords([1]).draw(9) != PromptWords([2]).draw(9)
    assert len(PromptWords([1]).draw(9).split()) == 9
    assert len(PromptTokens([5, 6, 7], [1]).draw(9)) == 9


class RecordingClient(Client[str]):
    """Answers with nothing and records the requests."""

    def __init__(self, requests: list[tuple[str, int, dict[str, object]]]) -> None:
        self._requests = requests

    def complete(self, prompt: str, n_predict: int, **options: object) -> Answer[str]:
        self._requests.append((prompt, n_predict, options))
        return Answer(prompt, n_predict, "", 1, n_predict, [0.5])

    def stream(self, prompt: str, n_predict: int, **options: object) -> Answer[str]:
        return self.complete(prompt, n_predict, **options)


class RecordingServer(Server[str]):
    def __init__(self, name: str = "recording") -> None:
        self.name = name
        self.requests: list[tuple[str, int, dict[str, object]]] = []

    def clients(self, n_clients: int) -> list[RecordingClient]:
        return [RecordingClient(self.requests) for _client in range(n_clients)]


@pytest.fixture
def recording() -> Iterator[RecordingServer]:
    yield RecordingServer()


def test_a_closed_loop_asks_for_as_much_of_each_client_with_prompts_of_their_own(recording: RecordingServer) -> None:
    loop = ClosedLoop(n_clients=3, n_predict=5, n_requests=2, options={"repeat_penalty": 1.1})
    measured = loop.run(recording, PromptWords([1])).measured
    assert len({prompt for prompt, _n_predict, _options in recording.requests}) == 6
    assert all(options == SAMPLERS | {"repeat_penalty": 1.1} for _prompt, _n_predict, options in recording.requests)
    assert list(measured) == ["tokens/s"]


def test_an_open_loop_has_long_and_short_requests(recording: RecordingServer) -> None:
    loop = OpenLoop(per_second=1e6, n_requests=6, n_long=2, n_long_prompt=50, n_long_predict=1, n_predict=9)
    loop.run(recording, PromptWords([1]))
    sizes = sorted((len(prompt.split()), n_predict) for prompt, n_predict, _options in recording.requests)
    assert sizes == [(32, 9)] * 4 + [(50, 1)] * 2


@pytest.mark.parametrize("workload", [ClosedLoop(4, 400), OpenLoop(4.0)])
def test_a_workload_of_serving_is_made_as_small_as_a_short_context_needs(workload: ClosedLoop | OpenLoop) -> None:
    assert workload.fit_to(256).n_ctx == 256
    assert workload.fit_to(2_048) == workload
