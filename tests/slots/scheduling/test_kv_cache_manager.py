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


class Cache:
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
        asked = CompletionRequest(prompt, session="one", n_cache_reuse=n_cache_reuse, scope=scope or CacheScope())
        work = RequestState(asked, self._n_requests)
        self.cache.prepare_slot(self.slots[slot_id], work, self.cache.match(work))
        return len(self.slots[slot_id].cached)

    def compute(self, slot_id: int, *, keep: bool = False) -> None:
        """Compute the prompt, and let the slot go unless its work stays."""
        slot = self.slots[slot_id]
        limits = SchedulerConfig(n_batch=1000, n_chunk=1000, can_truncate=self.kv.can_truncate)
        while slot.n_uncomputed:
            share = next(share for share in schedule(self.slots, limits, None).scheduled if share.slot is slot)
            self.kv.compute(slot_id, len(slot.cached), share.tokens, slot.scope)
            self.cache.commit(slot, share.tokens)
        if not keep:
            slot.release()

    def put(self, slot_id: int, prompt: tuple[int, ...]) -> None:
        self.assign(slot_id, prompt)
        self.compute(slot_id)


def test_what_a_slot_has_stays() -> None:
    held = Cache()
    held.put(0, TEXT)
    assert held.assign(0, (*TEXT[:50], 1)) == 50


def test_what_another_slot_has_is_copied() -> None:
    held = Cache()
    held.put(0, TEXT)
    assert held.assign(1, (*TEXT[:50], 1)) == 50
    assert held.kv.tokens(1) == list(TEXT[:50])


def test_too_little_to_be_worth_a_copy_is_computed() -> None:
    held = Cache()
    held.put(0, TEXT)
    assert held.assign(1, (*TEXT[:5], 1)) == 0


def test_in_a_pool_the_least_is_shared() -> None:
    held = Cache(is_unified=True)
    held.put(0, TEXT)
    assert held.assign(1, (*TEXT[:1], 1)) == 1
    assert held.kv.n_used == len(TEXT)


def test_what_a_slot_loses_comes_back() -> None:
    held = Cache(n_slots=1)
    held.put(0, TEXT)
    held.put(0, OTHER)
    assert held.assign(0, (*TEXT, 1)) == len(TEXT)


def test_a_little_that_is_lost_is_not_kept() -> None:
    held = Cache(n_slots=1)
    held.put(0, TEXT)
    with patch.object(held.kv, "snapshot", side_effect=AssertionError):
        held.put(0, (*TEXT[:50], 1))


def test_what_another_slot_has_as_well_is_not_parked() -> None:
    held = Cache()
    held.put(0, TEXT)
    held.put(1, TEXT)
    with patch.object(held.kv, "snapshot", side_effect=AssertionError):
        held.put(1, OTHER)


def test_what_came_back_as_a_whole_is_not_kept_twice() -> None:
    held = Cache(n_slots=1)
    held.put(0, TEXT)
    held.put(0, OTHER)
    held.put(0, (*TEXT, 1))
    held.put(0, OTHER)
    with patch.object(held.kv, "restore", side_effect=AssertionError):
        assert held.assign(0, OTHER) == len(OTHER) - 1


def test_without_memory_to_park_in_nothing_comes_back() -> None:
    held = Cache(n_slots=1, cache_ram_mib=0)
    held.put(0, TEXT)
    held.put(0, OTHER)
    assert held.assign(0, (*TEXT, 1)) == 0


def test_a_slot_that_cannot_be_copied_is_computed_instead() -> None:
    held = Cache()
    held.put(0, TEXT)
    with patch.object(held.kv, "snapshot", side_effect=SnapshotError("no memory")):
        assert held.assign(1, (*TEXT, 1)) == 0
    held.compute(1)
    assert held.kv.tokens(1) == [*TEXT, 1]


def test_what_cannot_be_parked_is_lost_and_nothing_else() -> None:
    held = Cache(n_slots=1)
    held.put(0, TEXT)
    with patch.object(held.kv, "snapshot", side_effect=SnapshotError("no memory")):
        held.put(0, OTHER)
    assert held.kv.tokens(0) == list(OTHER)


def test_what_cannot_be_brought_back_is_computed_and_not_tried_again() -> None:
    held = Cache(n_slots=1)
    held.put(0, TEXT)
    held.put(0, OTHER)
    with patch.object(held.kv, "restore", side_effect=SnapshotError("damaged")) as restore:
        assert held.assign(0, (*TEXT, 1)) == 0
        held.cache.share_progress()
    assert restore.call_count == 1
    held.compute(0)
    assert held.kv.tokens(0) == [*TEXT, 1]


def test_what_cannot_be_brought_back_into_the_slot_that_has_the_most_of_it_is_computed() -> None:
    held = Cache(is_unified=True)
    held.put(0, TEXT)
    held.cache.evict(held.slots[0])
    held.put(0, TEXT[:30])
    with patch.object(held.kv, "restore", side_effect=SnapshotError("no room")):
        held.assign(0, (*TEXT, 1))
    held.compute(0)
    assert held.kv.tokens(0) == [*TEXT, 1]


def test_a_long_sequence_is_not_copied_for_a_few_of_its_tokens() -> None:
    held = Cache(n_ctx=4000)
    held.put(0, (*TEXT, *range(1000, 2100)))
    assert held.assign(1, (*TEXT[:17], 1)) == 0
    held.slots[1].release()
    assert held.assign(1, (*TEXT, 1)) == len(TEXT)


def test_idle_slots_make_room_in_a_pool_for_what_comes_back() -> None:
    held = Cache(is_unified=True, n_slots=3, n_ctx=130)
    held.put(0, TEXT)
    held.cache.evict(held.slots[0])
    held.put(1, OTHER)
    held.put(2, tuple(range(300, 350)))
    assert held.assign(0, (*TEXT, 1)) == len(TEXT)
    assert held.slots[1].cached == []
    assert held.slots[2].cached


def test_moved_chunks_leave_the_cells_of_others_in_their_places() -> None:
    held = Cache(is_unified=True)
    held.put(0, TEXT)
    held.put(1, (*TEXT, 1))
    shortened = (*TEXT[:20], *TEXT[30:], 5)
    assert held.assign(1, shortened, n_cache_reuse=8) == 20
    assert held.kv.tokens(0) == list(TEXT)


def test_in_a_pool_chunks_that_are_a_slots_own_are_moved() -> None:
    held = Cache(is_unified=True)
    held.put(0, TEXT)
    assert held.assign(0, (*TEXT[:20], *TEXT[30:], 5), n_cache_reuse=8) == len(TEXT) - 10
    assert held.slots[0].n_unshifted == 20


def test_an_idle_slot_gives_the_cells_up_that_are_to_be_moved_for_another() -> None:
    held = Cache(is_unified=True, n_slots=3)
    held.put(0, TEXT)
    held.put(2, OTHER)
    held.assign(1, (*TEXT, 1))
    held.cache.discard_range(held.slots[1], 10, 30)
    assert held.kv.tokens(1) == held.slots[1].cached == [*TEXT[:10], *TEXT[30:]]
    assert [slot.cached for slot in held.slots[::2]] == [[], list(OTHER)]
    assert held.assign(0, (*TEXT, 2)) == len(TEXT)


def test_a_slot_that_works_computes_again_what_is_to_be_moved_for_another() -> None:
    held = Cache(is_unified=True)
    held.put(0, TEXT)
    held.assign(0, (*TEXT, 2))
    held.assign(1, (*TEXT, 1))
    held.cache.discard_range(held.slots[1], 10, 30)
    assert held.kv.tokens(1) == held.slots[1].cached == [*TEXT[:10], *TEXT[30:]]
    assert held.slots[0].cached == list(TEXT[:10])
    held.compute(0)
    assert held.kv.tokens(0) == [*TEXT, 2]


def test_of_what_is_larger_than_all_that_may_be_parked_the_beginning_comes_back() -> None:
    held = Cache(n_slots=1, bytes_per_token=(1 << 20) // 40)
    held.put(0, TEXT)
    held.put(0, OTHER)
    assert 18 <= held.assign(0, (*TEXT, 1)) <= 20
    held.compute(0)
    assert held.kv.tokens(0) == [*TEXT, 1]


def test_what_is_larger_than_all_that_may_be_parked_leaves_room_for_others() -> None:
    held = Cache(n_slots=1, bytes_per_token=(1 << 20) // 40)
    held.put(0, OTHER[:16])
    held.put(0, TEXT)
    held.put(0, tuple(range(300, 310)))
    assert held.assign(0, (*OTHER[:16], 1)) == 16


def test_what_made_room_for_something_that_could_not_be_brought_back_is_not_taken_for_there() -> None:
    held = Cache(is_unified=True, n_slots=3, n_ctx=130)
    held.put(0, TEXT)
    held.cache.evict(held.slots[0])
    held.put(1, TEXT[:40])
    held.assign(2, tuple(range(300, 350)))
    held.compute(2, keep=True)
    with patch.object(held.kv, "restore", side_effect=SnapshotError("damaged")):
        assert held.assign(0, (*TEXT, 1)) == 0
    held.compute(0)
    assert held.kv.tokens(0) == [*TEXT, 1]


def test_what_cannot_be_cut_is_parked_behind_the_system_prompt() -> None:
    held = Cache(can_truncate=False, n_slots=1)
    held.assign(0, TEXT, scope=CacheScope("", n_public=30))
    held.compute(0)
    assert held.assign(0, (*TEXT[:30], 1)) == 30


def test_what_cannot_be_cut_is_parked_where_a_second_text_parts_from_it() -> None:
    """So that a third one finds it."""
    held = Cache(can_truncate=False, n_slots=1)
    held.put(0, TEXT)
    assert held.assign(0, (*TEXT[:30], 1, 1)) == 0
    held.compute(0)
    assert held.assign(0, (*TEXT[:30], 2, 2)) == 30


def test_what_cannot_be_cut_is_not_parked_for_a_few_tokens() -> None:
    held = Cache(can_truncate=False, n_slots=1)
    held.put(0, TEXT)
    held.assign(0, (*TEXT[:15], *OTHER))
    held.compute(0)
    assert held.assign(0, (*TEXT[:15], 1)) == 0


def test_what_does_not_fit_into_a_full_pool_is_refused() -> None:
    held = Cache(is_unified=True, n_ctx=100)
    held.assign(0, TEXT)
    slot = held.slots[0]
    held.kv.compute(0, 0, list(TEXT), slot.scope)
    held.cache.commit(slot, TEXT)
    with pytest.raises(InvalidRequest, match="filename: the KV cache has no room"):
        held.cache.load(held.slots[1], SavedSlot(OTHER, len(OTHER), CacheScope(), np.zeros(8, np.uint8)))
    assert held.slots[1].cached == []


def test_chunks_are_not_moved_for_somebody_else() -> None:
    held = Cache()
    held.assign(0, TEXT, scope=CacheScope("mine"))
    held.compute(0)
    assert held.assign(0, (*TEXT[:20], *TEXT[30:], 5), n_cache_reuse=8, scope=CacheScope("yours")) == 0


def test_what_a_slot_loses_stays_whose_it_was() -> None:
    held = Cache(n_slots=1)
    held.assign(0, TEXT, scope=CacheScope("mine"))
    held.compute(0)
    held.assign(0, OTHER, scope=CacheScope("yours"))
    held.compute(0)
    assert held.assign(0, (*TEXT, 1), scope=CacheScope("yours")) == 0
    held.compute(0)
    assert held.assign(0, (*TEXT, 1), scope=CacheScope("mine")) == len(TEXT)


def test_what_was_moved_before_it_was_saved_is_not_taken_for_exact_when_it_is_restored() -> None:
    held = Cache()
    held.put(0, TEXT)
    held.assign(0, (*TEXT[:20], *TEXT[30:], 5), n_cache_reuse=8)
    held.compute(0)
    saved = held.cache.save(held.slots[0])
    held.cache.reset(held.slots[0])
    held.cache.load(held.slots[1], saved)
    assert held.slots[1].n_unshifted == saved.n_unshifted == 20
    assert held.assign(0, (*TEXT[:20], *TEXT[30:], 5)) == 20


def test_a_copy_that_fails_is_not_tried_at_every_step() -> None:
    held = Cache()
    held.put(0, TEXT)
    with patch.object(held.kv, "restore", side_effect=SnapshotError("damaged")) as restore:
        held.assign(1, (*TEXT, 1))
        held.cache.share_progress()
    assert restore.call_count == 1


def test_what_is_parked_already_is_not_copied_again() -> None:
    held = Cache(n_slots=1)
    held.put(0, TEXT)
    held.put(0, OTHER)
    held.put(0, TEXT[:50])
    with patch.object(held.kv, "snapshot", side_effect=AssertionError):
        held.put(0, tuple(range(300, 330)))


def test_loading_parks_what_the_slot_had_and_forgets_whose_it_was() -> None:
    held = Cache()
    held.put(0, TEXT)
    saved = held.cache.save(held.slots[0])
    held.put(1, OTHER)
    held.cache.load(held.slots[1], saved)
    assert held.slots[1].session is None
    assert held.slots[1].last_used >= held.slots[0].last_used
    assert held.assign(0, (*OTHER, 1)) == len(OTHER)
