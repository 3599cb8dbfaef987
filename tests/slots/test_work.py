from slots.request import CompletionRequest
from slots.work import Work


def work(n_prompt: int) -> Work:
    return Work(CompletionRequest(tuple(range(n_prompt))), 1)


def test_what_is_computed_of_the_prompt_is_counted() -> None:
    asked = work(10)
    asked.note_evaluated(4, 6)
    assert (asked.n_evaluated, asked.n_cached) == (6, 4)


def test_what_has_to_be_computed_again_counts_once() -> None:
    asked = work(10)
    asked.note_evaluated(0, 8)
    asked.note_evaluated(0, 10)
    assert (asked.n_evaluated, asked.n_cached) == (10, 0)


def test_what_is_generated_is_not_counted() -> None:
    asked = work(10)
    asked.note_evaluated(0, 10)
    asked.n_decoded = 1
    asked.note_evaluated(10, 1)
    assert asked.n_evaluated == 10


def test_what_is_removed_may_be_of_the_prompt_and_of_what_was_generated() -> None:
    asked = work(10)
    asked.tokens += [100, 101, 102]
    asked.remove(8, 11)
    assert asked.tokens == [0, 1, 2, 3, 4, 5, 6, 7, 101, 102]
    assert asked.n_prompt == 8
    assert asked.generated == (101, 102)
    assert asked.truncated
