from slots.requests.request import CompletionRequest
from slots.requests.request_state import RequestState


def work(n_prompt: int) -> RequestState:
    return RequestState(CompletionRequest(tuple(range(n_prompt))), 1)


def test_what_is_computed_of_the_prompt_is_counted() -> None:
    asked = work(10)
    asked.count_computed(4, 6)
    assert (asked.n_prompt_computed, asked.n_cached) == (6, 4)


def test_what_has_to_be_computed_again_counts_once() -> None:
    asked = work(10)
    asked.count_computed(0, 8)
    asked.count_computed(0, 10)
    assert (asked.n_prompt_computed, asked.n_cached) == (10, 0)


def test_what_is_generated_is_not_counted() -> None:
    asked = work(10)
    asked.count_computed(0, 10)
    asked.n_decoded = 1
    asked.count_computed(10, 1)
    assert asked.n_prompt_computed == 10


def test_what_is_removed_may_be_of_the_prompt_and_of_what_was_generated() -> None:
    asked = work(10)
    asked.tokens += [100, 101, 102]
    asked.remove(8, 11)
    assert asked.tokens == [0, 1, 2, 3, 4, 5, 6, 7, 101, 102]
    assert asked.n_prompt == 8
    assert asked.generated == (101, 102)
    assert asked.truncated


def test_a_prompt_stops_before_its_last_token_and_what_is_generated_nowhere() -> None:
    asked = work(10)
    asked.checkpoints.add(4)
    assert asked.all_checkpoints == {4, 9}
    asked.tokens += [100, 101]
    asked.n_decoded = 2
    assert asked.all_checkpoints == {4}


def test_what_is_removed_takes_what_others_have_in_common_with_it_along() -> None:
    asked = work(10)
    asked.shared_prefixes[3] = 7
    asked.checkpoints.add(7)
    asked.remove(2, 4)
    assert not asked.shared_prefixes
    assert not asked.checkpoints
