"""How much of a picture a step computes while others generate, on simulated machines."""

from slots.scheduling.media_pace import MAX_TIMES_A_STEP, MIN_CELLS, MediaPace

STEP = 0.030
"""Seconds of the tokens of a step."""


def paced(seconds_per_cell: float, fixed_seconds: float = 0.0, n_steps: int = 20) -> MediaPace:
    pace = MediaPace(512)
    for _ in range(n_steps):
        pace.record_tokens(STEP)
        pace.record_media(pace.n_cells, fixed_seconds + pace.n_cells * seconds_per_cell)
    return pace


def test_chunks_become_as_large_as_takes_twice_as_long_as_the_tokens() -> None:
    n_cells = paced(seconds_per_cell=0.001).n_cells
    assert n_cells * 0.001 <= MAX_TIMES_A_STEP * STEP < 2 * n_cells * 0.001


def test_a_gpu_that_computes_many_as_fast_as_few_gets_an_ubatch() -> None:
    assert paced(seconds_per_cell=0.00001, fixed_seconds=0.005).n_cells == 512


def test_a_slow_machine_gets_the_smallest_chunks() -> None:
    assert paced(seconds_per_cell=0.02).n_cells == MIN_CELLS


def test_chunks_shrink_when_the_machine_slows_down() -> None:
    pace = paced(seconds_per_cell=0.0001)
    before = pace.n_cells
    for _ in range(10):
        pace.record_media(pace.n_cells, pace.n_cells * 0.001)
    assert MIN_CELLS < pace.n_cells < before


def test_the_rest_of_a_picture_does_not_make_chunks_larger() -> None:
    pace = MediaPace(512)
    pace.record_tokens(STEP)
    pace.record_media(1, 0.001)
    assert pace.n_cells == MIN_CELLS


def test_chunks_stay_small_as_long_as_no_step_of_tokens_is_known() -> None:
    pace = MediaPace(512)
    pace.record_media(MIN_CELLS, 0.001)
    assert pace.n_cells == MIN_CELLS


def test_no_chunk_is_larger_than_an_ubatch() -> None:
    assert MediaPace(4).n_cells == 4
