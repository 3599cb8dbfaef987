import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.monitoring import MAX_SCRAPE_MS, MAX_SHARE_OF_STEP, SIZES, load, measure_record_us, measure_scrape_ms

RESULTS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "benchmarks/results/monitoring.json").read_text(encoding="utf-8")
)


def test_a_scrape_cost_less_than_5_ms() -> None:
    assert 0 < RESULTS["scrape_ms"] < MAX_SCRAPE_MS == 5


@pytest.mark.parametrize("step", RESULTS["steps"])
def test_the_numbers_cost_less_than_a_hundredth_of_a_step(step: dict[str, float]) -> None:
    assert 0 < step["record_us"] < MAX_SHARE_OF_STEP * step["step_us"]
    assert MAX_SHARE_OF_STEP == 0.01


def test_every_size_was_measured() -> None:
    assert tuple(step["slots"] for step in RESULTS["steps"]) == SIZES


def test_they_can_be_measured_again() -> None:
    engine = load(1)
    assert measure_scrape_ms(engine) > 0
    engine.stop()
    assert measure_record_us(1) > 0
