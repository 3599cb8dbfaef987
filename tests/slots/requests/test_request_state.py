from slots.requests.adapters import NO_ADAPTERS, AdapterSet
from slots.requests.request import CompletionRequest
from slots.requests.request_state import RequestState
from slots.requests.scope import CacheScope


def make_state(n_prompt: int) -> RequestState:
    return RequestState(CompletionRequest(tuple(range(n_prompt))), 1)


def test_what_is_computed_of_the_prompt_is_counted() -> None:
    state = make_state(10)
    state.count_computed(4, 6)
    assert (state.n_prompt_computed, state.n_cached) == (6, 4)


def test_what_has_to_be_computed_again_counts_once() -> None:
    state = make_state(10)
    state.count_computed(0, 8)
    state.count_computed(0, 10)
    assert (state.n_prompt_computed, state.n_cached) == (10, 0)


def test_what_is_generated_is_not_counted() -> None:
    state = make_state(10)
    state.count_computed(0, 10)
    state.n_decoded = 1
    state.count_computed(10, 1)
    assert state.n_prompt_computed == 10


def test_what_is_removed_may_be_of_the_prompt_and_of_what_was_generated() -> None:
    state = make_state(10)
    state.tokens += [100, 101, 102]
    state.remove(8, 11)
    assert state.tokens == [0, 1, 2, 3, 4, 5, 6, 7, 101, 102]
    assert state.n_prompt == 8
    assert state.generated == (101, 102)
    assert state.truncated


def test_a_prompt_stops_before_its_last_token_and_what_is_generated_nowhere() -> None:
    state = make_state(10)
    state.checkpoints.add(4)
    assert state.all_checkpoints == {4, 9}
    state.tokens += [100, 101]
    state.n_decoded = 2
    assert state.all_checkpoints == {4}


def test_what_is_removed_takes_what_others_have_in_common_with_it_along() -> None:
    state = make_state(10)
    state.shared_prefixes[3] = 7
    state.checkpoints.add(7)
    state.remove(2, 4)
    assert not state.shared_prefixes
    assert not state.checkpoints


def test_what_is_removed_moves_where_its_adapters_begin() -> None:
    one = AdapterSet.of({1: 1.0})
    request = CompletionRequest(tuple(range(20)), adapters=one, scope=CacheScope(adapters="one", n_base=10))
    state = RequestState(request, 1)
    assert (state.adapters_at(9), state.adapters_at(10)) == (NO_ADAPTERS, one)
    for start, end, n_base in ((2, 6, 6), (4, 9, 4), (5, 6, 4)):
        state.remove(start, end)
        assert state.scope.n_base == n_base
    assert (state.adapters_at(3), state.adapters_at(4)) == (NO_ADAPTERS, one)
