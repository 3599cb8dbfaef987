from unittest.mock import patch

import numpy as np
import pytest

from slots.cache.saved_slot import SavedSlot
from slots.errors import InvalidRequest, SnapshotError
from slots.requests.request import CompletionRequest
from slots.requests.request_state import RequestState
from slots.requests.scope import CacheScope
from slots.requests.slot import Slot
from slots.scheduling.kv_cache_manager import KvCacheManager
from slots.scheduling.scheduler import SchedulerConfig, schedule
from tests.slots.scheduling.kv_model import KvModel

TEXT = tuple(range(100, 160))
OTHER = tuple(range(200, 260))


class Harness:
    """A KV cache with slots in it, and ways to put something there."""

    def __init__(
        self,
        *,
        is_unified: bool = False,
        can_truncate: bool = True,
        n_slots: int = 2,
        n_ctx: int = 400,
        cache_ram_mib: int = 1,
        bytes_per_token: int = 10,
    ) -> None:
        self.kv = KvModel(
            is_unified=is_unified,
            n_ctx=n_ctx,
            n_sequences=n_slots,
            can_truncate=can_truncate,
            bytes_per_token=bytes_per_token,
        )
        self.slots = [Slot(n, self.kv.n_ctx_seq) for n in range(n_slots)]
        self.cache = KvCacheManager(self.kv, self.slots, cache_ram_mib)
        self._n_requests = 0

    def assign(
        self, slot_id: int, prompt: tuple[int, ...], *, n_cache_reuse: int = 0, scope: CacheScope | None = None
    ) -> int:
        """Give a slot to a prompt; returns how many tokens of it the slot then has."""
        self._n_requests += 1
        request = CompletionRequest(prompt, session="one", n_cache_reuse=n_cache_reuse, scope=scope or CacheScope())
        state = RequestState(request, self._n_requests)
        self.cache.prepare_slot(self.slots[slot_id], state, self.cache.match(state))
        return len(self.slots[slot_id].cached)

    def compute(self, slot_id: int, *, keep: bool = False) -> None:
        """Compute the prompt, and release the slot unless it is to keep its request."""
        slot = self.slots[slot_id]
        limits = SchedulerConfig(n_batch=1000, n_chunk=1000, can_truncate=self.kv.can_truncate)
        while slot.n_uncomputed:
            each = next(each for each in schedule(self.slots, limits, None).scheduled if each.slot is slot)
            self.kv.compute(slot_id, len(slot.cached), each.tokens, slot.scope)
            self.cache.commit(slot, each.tokens)
        if not keep:
            slot.release()

    def put(self, slot_id: int, prompt: tuple[int, ...]) -> None:
        self.assign(slot_id, prompt)
        self.compute(slot_id)


def test_what_a_slot_has_stays() -> None:
    harness = Harness()
    harness.put(0, TEXT)
    assert harness.assign(0, (*TEXT[:50], 1)) == 50


def test_what_another_slot_has_is_copied() -> None:
    harness = Harness()
    harness.put(0, TEXT)
    assert harness.assign(1, (*TEXT[:50], 1)) == 50
    assert harness.kv.tokens(1) == list(TEXT[:50])


def test_too_little_to_be_worth_a_copy_is_computed() -> None:
    harness = Harness()
    harness.put(0, TEXT)
    assert harness.assign(1, (*TEXT[:5], 1)) == 0


def test_in_a_pool_the_least_is_shared() -> None:
    harness = Harness(is_unified=True)
    harness.put(0, TEXT)
    assert harness.assign(1, (*TEXT[:1], 1)) == 1
    assert harness.kv.n_used == len(TEXT)


def test_what_a_slot_loses_comes_back() -> None:
    harness = Harness(n_slots=1)
    harness.put(0, TEXT)
    harness.put(0, OTHER)
    assert harness.assign(0, (*TEXT, 1)) == len(TEXT)


def test_a_little_that_is_lost_is_not_kept() -> None:
    harness = Harness(n_slots=1)
    harness.put(0, TEXT)
    with patch.object(harness.kv, "snapshot", side_effect=AssertionError):
        harness.put(0, (*TEXT[:50], 1))


def test_what_another_slot_has_as_well_is_not_parked() -> None:
    harness = Harness()
    harness.put(0, TEXT)
    harness.put(1, TEXT)
    with patch.object(harness.kv, "snapshot", side_effect=AssertionError):
        harness.put(1, OTHER)


def test_what_came_back_as_a_whole_is_not_kept_twice() -> None:
    harness = Harness(n_slots=1)
    harness.put(0, TEXT)
    harness.put(0, OTHER)
    harness.put(0, (*TEXT, 1))
    harness.put(0, OTHER)
    with patch.object(harness.kv, "restore", side_effect=AssertionError):
        assert harness.assign(0, OTHER) == len(OTHER) - 1


def test_without_memory_to_park_in_nothing_comes_back() -> None:
    harness = Harness(n_slots=1, cache_ram_mib=0)
    harness.put(0, TEXT)
    harness.put(0, OTHER)
    assert harness.assign(0, (*TEXT, 1)) == 0


def test_a_slot_that_cannot_be_copied_is_computed_instead() -> None:
    harness = Harness()
    harness.put(0, TEXT)
    with patch.object(harness.kv, "snapshot", side_effect=SnapshotError("no memory")):
        assert harness.assign(1, (*TEXT, 1)) == 0
    harness.compute(1)
    assert harness.kv.tokens(1) == [*TEXT, 1]


def test_what_cannot_be_parked_is_lost_and_nothing_else() -> None:
    harness = Harness(n_slots=1)
    harness.put(0, TEXT)
    with patch.object(harness.kv, "snapshot", side_effect=SnapshotError("no memory")):
        harness.put(0, OTHER)
    assert harness.kv.tokens(0) == list(OTHER)


def test_what_cannot_be_brought_back_is_computed_and_not_tried_again() -> None:
    harness = Harness(n_slots=1)
    harness.put(0, TEXT)
    harness.put(0, OTHER)
    with patch.object(harness.kv, "restore", side_effect=SnapshotError("damaged")) as restore:
        assert harness.assign(0, (*TEXT, 1)) == 0
        harness.cache.share_progress()
    assert restore.call_count == 1
    harness.compute(0)
    assert harness.kv.tokens(0) == [*TEXT, 1]


def test_what_cannot_be_brought_back_into_the_slot_that_has_the_most_of_it_is_computed() -> None:
    harness = Harness(is_unified=True)
    harness.put(0, TEXT)
    harness.cache.evict(harness.slots[0])
    harness.put(0, TEXT[:30])
    with patch.object(harness.kv, "restore", side_effect=SnapshotError("no room")):
        harness.assign(0, (*TEXT, 1))
    harness.compute(0)
    assert harness.kv.tokens(0) == [*TEXT, 1]


def test_a_long_sequence_is_not_copied_for_a_few_of_its_tokens() -> None:
    harness = Harness(n_ctx=4000)
    harness.put(0, (*TEXT, *range(1000, 2100)))
    assert harness.assign(1, (*TEXT[:17], 1)) == 0
    harness.slots[1].release()
    assert harness.assign(1, (*TEXT, 1)) == len(TEXT)


def test_idle_slots_make_room_in_a_pool_for_what_comes_back() -> None:
    harness = Harness(is_unified=True, n_slots=3, n_ctx=130)
    harness.put(0, TEXT)
    harness.cache.evict(harness.slots[0])
    harness.put(1, OTHER)
    harness.put(2, tuple(range(300, 350)))
    assert harness.assign(0, (*TEXT, 1)) == len(TEXT)
    assert harness.slots[1].cached == []
    assert harness.slots[2].cached


def test_moved_chunks_leave_the_cells_of_others_in_their_places() -> None:
    harness = Harness(is_unified=True)
    harness.put(0, TEXT)
    harness.put(1, (*TEXT, 1))
    shortened = (*TEXT[:20], *TEXT[30:], 5)
    assert harness.assign(1, shortened, n_cache_reuse=8) == 20
    assert harness.kv.tokens(0) == list(TEXT)


def test_in_a_pool_chunks_that_are_a_slots_own_are_moved() -> None:
    harness = Harness(is_unified=True)
    harness.put(0, TEXT)
    assert harness.assign(0, (*TEXT[:20], *TEXT[30:], 5), n_cache_reuse=8) == len(TEXT) - 10
    assert harness.slots[0].n_unshifted == 20


def test_an_idle_slot_gives_the_cells_up_that_are_to_be_moved_for_another() -> None:
    harness = Harness(is_unified=True, n_slots=3)
    harness.put(0, TEXT)
    harness.put(2, OTHER)
    harness.assign(1, (*TEXT, 1))
    harness.cache.discard_range(harness.slots[1], 10, 30)
    assert harness.kv.tokens(1) == harness.slots[1].cached == [*TEXT[:10], *TEXT[30:]]
    assert [slot.cached for slot in harness.slots[::2]] == [[], list(OTHER)]
    assert harness.assign(0, (*TEXT, 2)) == len(TEXT)


def test_a_slot_that_works_computes_again_what_is_to_be_moved_for_another() -> None:
    harness = Harness(is_unified=True)
    harness.put(0, TEXT)
    harness.assign(0, (*TEXT, 2))
    harness.assign(1, (*TEXT, 1))
    harness.cache.discard_range(harness.slots[1], 10, 30)
    assert harness.kv.tokens(1) == harness.slots[1].cached == [*TEXT[:10], *TEXT[30:]]
    assert harness.slots[0].cached == list(TEXT[:10])
    harness.compute(0)
    assert harness.kv.tokens(0) == [*TEXT, 2]


def test_of_what_is_larger_than_all_that_may_be_parked_the_beginning_comes_back() -> None:
    harness = Harness(n_slots=1, bytes_per_token=(1 << 20) // 40)
    harness.put(0, TEXT)
    harness.put(0, OTHER)
    assert 18 <= harness.assign(0, (*TEXT, 1)) <= 20
    harness.compute(0)
    assert harness.kv.tokens(0) == [*TEXT, 1]


def test_what_is_larger_than_all_that_may_be_parked_leaves_room_for_others() -> None:
    harness = Harness(n_slots=1, bytes_per_token=(1 << 20) // 40)
    harness.put(0, OTHER[:16])
    harness.put(0, TEXT)
    harness.put(0, tuple(range(300, 310)))
    assert harness.assign(0, (*OTHER[:16], 1)) == 16


def test_what_made_room_for_something_that_could_not_be_brought_back_is_not_taken_for_there() -> None:
    harness = Harness(is_unified=True, n_slots=3, n_ctx=130)
    harness.put(0, TEXT)
    harness.cache.evict(harness.slots[0])
    harness.put(1, TEXT[:40])
    harness.assign(2, tuple(range(300, 350)))
    harness.compute(2, keep=True)
    with patch.object(harness.kv, "restore", side_effect=SnapshotError("damaged")):
        assert harness.assign(0, (*TEXT, 1)) == 0
    harness.compute(0)
    assert harness.kv.tokens(0) == [*TEXT, 1]


def test_what_cannot_be_cut_is_parked_behind_the_system_prompt() -> None:
    harness = Harness(can_truncate=False, n_slots=1)
    harness.assign(0, TEXT, scope=CacheScope("", n_public=30))
    harness.compute(0)
    assert harness.assign(0, (*TEXT[:30], 1)) == 30


def test_what_cannot_be_cut_is_parked_where_a_second_text_parts_from_it() -> None:
    """So that a third one finds it."""
    harness = Harness(can_truncate=False, n_slots=1)
    harness.put(0, TEXT)
    assert harness.assign(0, (*TEXT[:30], 1, 1)) == 0
    harness.compute(0)
    assert harness.assign(0, (*TEXT[:30], 2, 2)) == 30


def test_what_cannot_be_cut_is_not_parked_for_a_few_tokens() -> None:
    harness = Harness(can_truncate=False, n_slots=1)
    harness.put(0, TEXT)
    harness.assign(0, (*TEXT[:15], *OTHER))
    harness.compute(0)
    assert harness.assign(0, (*TEXT[:15], 1)) == 0


def test_what_does_not_fit_into_a_full_pool_is_refused() -> None:
    harness = Harness(is_unified=True, n_ctx=100)
    harness.assign(0, TEXT)
    slot = harness.slots[0]
    harness.kv.compute(0, 0, list(TEXT), slot.scope)
    harness.cache.commit(slot, TEXT)
    with pytest.raises(InvalidRequest, match="filename: the KV cache has no room"):
        harness.cache.load(harness.slots[1], SavedSlot(OTHER, len(OTHER), CacheScope(), np.zeros(8, np.uint8)))
    assert harness.slots[1].cached == []


def test_chunks_are_not_moved_for_somebody_else() -> None:
    harness = Harness()
    harness.assign(0, TEXT, scope=CacheScope("mine"))
    harness.compute(0)
    assert harness.assign(0, (*TEXT[:20], *TEXT[30:], 5), n_cache_reuse=8, scope=CacheScope("yours")) == 0


def test_what_a_slot_loses_stays_whose_it_was() -> None:
    harness = Harness(n_slots=1)
    harness.assign(0, TEXT, scope=CacheScope("mine"))
    harness.compute(0)
    harness.assign(0, OTHER, scope=CacheScope("yours"))
    harness.compute(0)
    assert harness.assign(0, (*TEXT, 1), scope=CacheScope("yours")) == 0
    harness.compute(0)
    assert harness.assign(0, (*TEXT, 1), scope=CacheScope("mine")) == len(TEXT)


def test_what_was_moved_before_it_was_saved_is_not_taken_for_exact_when_it_is_restored() -> None:
    harness = Harness()
    harness.put(0, TEXT)
    harness.assign(0, (*TEXT[:20], *TEXT[30:], 5), n_cache_reuse=8)
    harness.compute(0)
    saved = harness.cache.save(harness.slots[0])
    harness.cache.reset(harness.slots[0])
    harness.cache.load(harness.slots[1], saved)
    assert harness.slots[1].n_unshifted == saved.n_unshifted == 20
    assert harness.assign(0, (*TEXT[:20], *TEXT[30:], 5)) == 20


def test_a_copy_that_fails_is_not_tried_at_every_step() -> None:
    harness = Harness()
    harness.put(0, TEXT)
    with patch.object(harness.kv, "restore", side_effect=SnapshotError("damaged")) as restore:
        harness.assign(1, (*TEXT, 1))
        harness.cache.share_progress()
    assert restore.call_count == 1


def test_what_is_parked_already_is_not_copied_again() -> None:
    harness = Harness(n_slots=1)
    harness.put(0, TEXT)
    harness.put(0, OTHER)
    harness.put(0, TEXT[:50])
    with patch.object(harness.kv, "snapshot", side_effect=AssertionError):
        harness.put(0, tuple(range(300, 330)))


def test_loading_parks_what_the_slot_had_and_forgets_whose_it_was() -> None:
    harness = Harness()
    harness.put(0, TEXT)
    saved = harness.cache.save(harness.slots[0])
    harness.put(1, OTHER)
    harness.cache.load(harness.slots[1], saved)
    assert harness.slots[1].session is None
    assert harness.slots[1].last_used >= harness.slots[0].last_used
    assert harness.assign(0, (*OTHER, 1)) == len(OTHER)
