import pytest

from slots.speculation.cost_model import StepTimeModel, decode_passes


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ({0: 1, 1: 1, 2: 1}, (3,)),
        ({0: 4}, (4,)),
        ({0: 1, 2: 1}, (1, 1)),
        ({0: 5, 1: 1, 2: 1}, (3, 4)),
        ({0: 5, 1: 5}, (10,)),
        ({0: 5, 1: 1, 2: 5}, (3, 4, 4)),
        ({0: 2, 1: 3, 2: 4}, (6, 2, 1)),
        ({3: 2, 1: 1, 2: 1}, (3, 1)),
    ],
)
def test_streams_are_computed_together_as_far_as_they_are_even(
    tokens: dict[int, int], expected: tuple[int, ...]
) -> None:
    assert decode_passes(tokens, is_unified=False) == expected
    assert decode_passes(tokens, is_unified=True) == (sum(tokens.values()),)


def test_what_was_seen_is_expected_again() -> None:
    times = StepTimeModel()
    times.learn((1,), 2.0)
    assert times.estimate((1,)) == 2.0
    times.learn((4, 8), 10.0)
    assert times.estimate((4, 8)) == pytest.approx(10.0, rel=0.01)
    assert times.estimate((1,)) == pytest.approx(2.0, rel=0.01)


def test_what_was_not_seen_lies_between_or_beyond() -> None:
    times = StepTimeModel()
    assert times.estimate((3,)) == 0.0
    times.learn((1,), 2.0)
    assert times.estimate((3,)) == pytest.approx(4.0)
    times.learn((5,), 6.0)
    assert times.estimate((3,)) == pytest.approx(4.0, rel=0.01)
    assert times.estimate((9,)) == pytest.approx(6.0 + 4 * 0.6, rel=0.01)


def test_it_follows_a_change_and_forgives_an_interruption() -> None:
    times = StepTimeModel()
    times.learn((1,), 1.0)
    times.learn((1,), 1000.0)
    assert times.estimate((1,)) <= 1.5
    for _ in range(40):
        times.learn((1,), 3.0)
    assert times.estimate((1,)) == pytest.approx(3.0, rel=0.01)


def test_what_was_long_not_seen_is_tried_again() -> None:
    times = StepTimeModel()
    times.learn((5,), 100.0)
    for _ in range(3000):
        times.learn((1,), 1.0)
    assert times.estimate((1,)) == 1.0
    assert 1.0 < times.estimate((5,)) < 50.0


def test_a_step_of_another_shape_than_the_one_before_takes_longer() -> None:
    times = StepTimeModel()
    times.learn((1,), 1.0)
    for _ in range(40):
        times.learn_switch_cost((1,), 1.25)
    assert times.switch_seconds == pytest.approx(0.25, rel=0.01)
    assert times.estimate((1,)) == 1.0


def test_no_pass_takes_nothing_though_another_one_was_thought_to_take_all_of_the_time() -> None:
    times = StepTimeModel()
    times.learn((2,), 10.0)
    for _ in range(40):
        times.learn((2, 4), 3.0)
        times.learn((2,), 1.0)
    assert times.estimate((2,)) == pytest.approx(1.0, rel=0.1)
    assert times.estimate((4,)) == pytest.approx(2.0, rel=0.1)


def test_a_change_of_the_machine_is_one_of_all_sizes() -> None:
    """Steps with drafts are rare, and must not seem to be for nothing when those without become slower."""
    times = StepTimeModel()
    times.learn((1,), 1.0)
    times.learn((8,), 2.0)
    for _ in range(40):
        times.learn((1,), 3.0)
    assert times.estimate((8,)) - times.estimate((1,)) > 0.5
    for _ in range(40):
        times.learn((1,), 1.0)
    assert times.estimate((1,)) == pytest.approx(1.0, rel=0.01)
    assert times.estimate((8,)) == pytest.approx(2.0, rel=0.1)


def test_of_two_sizes_that_are_seen_in_turn_each_keeps_its_own_time() -> None:
    times = StepTimeModel()
    times.learn((1,), 1.0)
    times.learn((4,), 5.0)
    for _ in range(60):
        times.learn((1,), 1.0)
        times.learn((4,), 2.0)
    assert times.estimate((1,)) == pytest.approx(1.0, rel=0.05)
    assert times.estimate((4,)) == pytest.approx(2.0, rel=0.05)
