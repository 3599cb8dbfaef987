from unittest.mock import patch

import pytest

from slots.errors import SnapshotError
from slots.requests.cache_use import CacheHit, CacheMiss, CacheSource, MissReason
from slots.requests.media import pseudo_tokens
from slots.requests.request import CompletionRequest
from slots.requests.request_state import RequestState
from slots.requests.scope import CacheScope
from tests.slots.scheduling.test_kv_cache_manager import OTHER, TEXT, Harness


def state_of(harness: Harness, slot_id: int) -> RequestState:
    state = harness.slots[slot_id].state
    assert state
    return state


def assign(
    harness: Harness, slot_id: int, prompt: tuple[int, ...], scope: CacheScope | None = None
) -> tuple[list[CacheHit], CacheMiss | None]:
    """Give a slot to a prompt; returns what was found of it, and why no more."""
    harness.assign(slot_id, prompt, scope=scope)
    return state_of(harness, slot_id).cache_hits, state_of(harness, slot_id).cache_miss


def test_what_the_slot_holds_is_a_hit_of_its_own() -> None:
    harness = Harness()
    harness.put(0, TEXT)
    assert assign(harness, 0, (*TEXT, 1)) == ([CacheHit(CacheSource.OWN_SLOT, 60, 0)], None)


def test_what_another_slot_holds_is_a_hit_there() -> None:
    harness = Harness()
    harness.put(0, TEXT)
    assert assign(harness, 1, (*TEXT, 1)) == ([CacheHit(CacheSource.OTHER_SLOT, 60, 0)], None)


def test_what_the_slot_holds_counts_before_what_is_added() -> None:
    harness = Harness()
    harness.put(0, TEXT)
    harness.put(1, TEXT[:20])
    hits, _ = assign(harness, 1, (*TEXT, 1))
    assert hits == [CacheHit(CacheSource.OWN_SLOT, 20, 1), CacheHit(CacheSource.OTHER_SLOT, 40, 0)]


def test_what_was_parked_is_a_hit_in_host_memory() -> None:
    harness = Harness(n_slots=1)
    harness.put(0, TEXT)
    harness.put(0, OTHER)
    assert assign(harness, 0, (*TEXT, 1)) == ([CacheHit(CacheSource.PARKED, 60, None)], None)


def test_what_another_prompt_of_a_burst_computes_is_a_hit_of_the_burst() -> None:
    harness = Harness()
    harness.assign(0, (*TEXT, 1))
    _, before = assign(harness, 1, (*TEXT, 2, 3))
    harness.compute(0, keep=True)
    harness.cache.share_progress()
    state = state_of(harness, 1)
    assert before is None
    assert state.cache_hits == [CacheHit(CacheSource.BURST, 60, 0)]
    assert state.cache_miss == CacheMiss(60, MissReason.TEXT_DIFFERS)


def test_hits_are_counted_with_their_tokens() -> None:
    harness = Harness()
    harness.put(0, TEXT)
    harness.put(1, (*TEXT, 1))
    harness.put(1, (*TEXT, 1, 2))
    stats = harness.cache.stats
    assert (stats.hits[CacheSource.OTHER_SLOT], stats.hit_tokens[CacheSource.OTHER_SLOT]) == (1, 60)
    assert (stats.hits[CacheSource.OWN_SLOT], stats.hit_tokens[CacheSource.OWN_SLOT]) == (1, 61)


def test_computed_tokens_are_counted() -> None:
    harness = Harness()
    harness.put(0, TEXT)
    harness.put(0, (*TEXT, 1, 2))
    assert harness.cache.stats.n_computed_tokens == len(TEXT) + 2


def test_nothing_was_missed_if_nothing_is_cached() -> None:
    assert assign(Harness(), 0, TEXT) == ([], None)


def test_nothing_was_missed_if_all_of_a_cached_text_was_used() -> None:
    harness = Harness()
    harness.put(0, TEXT)
    harness.put(1, (*TEXT, *OTHER))  # which goes on
    assert assign(harness, 0, (*TEXT, 1))[1] is None


def test_nothing_was_missed_if_the_nearest_text_has_but_the_first_token_in_common() -> None:
    """BOS, for example."""
    harness = Harness()
    harness.put(0, TEXT)
    assert assign(harness, 0, (TEXT[0], *OTHER))[1] is None


def test_nothing_was_missed_if_the_request_wants_no_cache() -> None:
    harness = Harness()
    harness.put(0, TEXT)
    state = RequestState(CompletionRequest(TEXT, cache_prompt=False), 9)
    harness.cache.prepare_slot(harness.slots[1], state, harness.cache.match(state))
    assert state.cache_miss is None


@pytest.mark.parametrize("slot_id", [0, 1])
def test_a_text_differs_where_it_parts_from_the_nearest_one(slot_id: int) -> None:
    harness = Harness()
    harness.put(0, TEXT)
    assert assign(harness, slot_id, (*TEXT[:50], 1, 2))[1] == CacheMiss(50, MissReason.TEXT_DIFFERS)


def test_a_text_differs_where_others_go_on_with_pictures() -> None:
    harness = Harness(n_slots=3)
    for slot_id, content in enumerate((b"red", b"blue")):
        harness.put(slot_id, (*TEXT, *pseudo_tokens(content, 20, 20, is_whole=False)))
    assert assign(harness, 2, (*TEXT, 1, 2))[1] == CacheMiss(60, MissReason.TEXT_DIFFERS)


def test_a_text_differs_even_where_too_little_was_common_for_a_copy() -> None:
    harness = Harness()
    harness.put(0, TEXT)
    assert assign(harness, 1, (*TEXT[:5], 1, 2)) == ([], CacheMiss(5, MissReason.TEXT_DIFFERS))


def test_an_evicted_text_came_back_too_late() -> None:
    harness = Harness(n_slots=1, cache_ram_mib=0)
    harness.put(0, TEXT)
    harness.put(0, OTHER)
    assert assign(harness, 0, (*TEXT, 1))[1] == CacheMiss(0, MissReason.EVICTED)


def test_a_parked_text_that_made_room_for_others_came_back_too_late() -> None:
    harness = Harness(n_slots=1, cache_ram_mib=1, bytes_per_token=16_000)  # for one text
    harness.put(0, TEXT)
    harness.put(0, OTHER)
    harness.put(0, tuple(range(300, 360)))
    assert harness.cache.stats.n_evicted_parked == 1
    assert assign(harness, 0, (*TEXT, 1))[1] == CacheMiss(0, MissReason.EVICTED)


def test_a_text_of_another_salt_is_missed_for_that() -> None:
    harness = Harness()
    harness.assign(0, TEXT, scope=CacheScope("mine"))
    harness.compute(0)
    assert assign(harness, 1, (*TEXT, 1), CacheScope("yours"))[1] == CacheMiss(0, MissReason.OTHER_SALT)


@pytest.mark.parametrize("salt", ["", "mine"])
@pytest.mark.parametrize(("cached", "wanted"), [("", "red"), ("red", ""), ("red", "blue")])
def test_a_text_of_other_adapters_is_missed_for_that(salt: str, cached: str, wanted: str) -> None:
    harness = Harness()
    harness.assign(0, TEXT, scope=CacheScope(salt, adapters=cached))
    harness.compute(0)
    _, miss = assign(harness, 1, (*TEXT, 1), CacheScope(salt, adapters=wanted))
    assert miss == CacheMiss(0, MissReason.OTHER_ADAPTER)


def test_a_text_of_another_salt_and_other_adapters_is_missed_for_the_salt() -> None:
    harness = Harness()
    harness.assign(0, TEXT, scope=CacheScope("mine", adapters="red"))
    harness.compute(0)
    _, miss = assign(harness, 1, (*TEXT, 1), CacheScope("yours", adapters="blue"))
    assert miss == CacheMiss(0, MissReason.OTHER_SALT)


def test_a_text_that_cannot_be_cut_is_missed_for_that() -> None:
    harness = Harness(can_truncate=False)
    harness.put(0, (*TEXT, *OTHER))
    assert assign(harness, 1, (*TEXT, 1))[1] == CacheMiss(0, MissReason.CANNOT_BE_CUT)


def test_a_text_that_could_not_be_copied_is_missed_for_that() -> None:
    harness = Harness()
    harness.put(0, TEXT)
    with patch.object(harness.kv, "snapshot", side_effect=SnapshotError("for the test")):
        assert assign(harness, 1, (*TEXT, 1))[1] == CacheMiss(0, MissReason.NOT_COPIED)
