import gc
import weakref
from math import inf

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from slots.cache.prefix_cache import ParkedSequence, PrefixCache
from slots.requests.scope import CacheScope

ANYONE = CacheScope()


def make_cache(*, budget_bytes: int | None = None, can_truncate: bool = True) -> PrefixCache:
    return PrefixCache(budget_bytes, can_truncate=can_truncate)


def park(cache: PrefixCache, tokens: list[int], *, scope: CacheScope = ANYONE, n_bytes: int = 1) -> None:
    cache.park(tokens, scope, np.zeros(n_bytes, np.uint8))


def n_parked(cache: PrefixCache, tokens: list[int], scope: CacheScope = ANYONE) -> int:
    return cache.match(tokens, scope, len(tokens)).n_parked


def by_slot(cache: PrefixCache, tokens: list[int], scope: CacheScope = ANYONE) -> dict[int, int]:
    return dict(cache.match(tokens, scope, len(tokens)).by_slot)


def test_every_slot_is_found_that_has_a_part_of_the_beginning() -> None:
    cache = make_cache()
    cache.set_live(0, [1, 2, 9], ANYONE)
    cache.set_live(1, [1, 2, 3, 4, 5], ANYONE)
    cache.set_live(2, [2, 3], ANYONE)
    match = cache.match([1, 2, 3, 4], ANYONE, 4)
    assert match.by_slot == {0: 2, 1: 4}
    assert (match.slot_id, match.n_live, match.n_tokens) == (1, 4, 4)


def test_nothing_is_found_of_a_prompt_that_nobody_has() -> None:
    cache = make_cache()
    cache.set_live(0, [1, 2], ANYONE)
    match = cache.match([2, 1], ANYONE, 2)
    assert (match.by_slot, match.slot_id, match.parked, match.n_tokens) == ({}, None, None, 0)


def test_no_more_than_the_limit_is_found() -> None:
    cache = make_cache()
    cache.set_live(0, [1, 2, 3, 4], ANYONE)
    park(cache, [1, 2, 3, 4])
    match = cache.match([1, 2, 3, 4], ANYONE, 3)
    assert (match.n_live, match.n_parked) == (3, 3)


def test_tokens_are_found_as_soon_as_a_slot_has_them() -> None:
    cache = make_cache()
    cache.set_live(0, [], ANYONE)
    assert by_slot(cache, [1, 2, 3]) == {}
    cache.extend_live(0, [1, 2])
    assert by_slot(cache, [1, 2, 3]) == {0: 2}
    cache.extend_live(0, [3, 4])
    assert by_slot(cache, [1, 2, 3]) == {0: 3}


def test_tokens_that_a_slot_lost_are_not_found() -> None:
    cache = make_cache()
    cache.set_live(0, [1, 2, 3], ANYONE)
    cache.truncate_live(0, 1)
    assert (by_slot(cache, [1, 2, 3]), cache.n_live(0)) == ({0: 1}, 1)
    cache.set_live(0, [7], ANYONE)
    assert by_slot(cache, [1, 2, 3]) == {}


def test_of_parked_sequences_the_one_with_the_longest_common_prefix_is_found() -> None:
    cache = make_cache()
    park(cache, [1, 2, 3, 4])
    park(cache, [1, 2, 7, 8])
    match = cache.match([1, 2, 7, 9], ANYONE, 4)
    assert match.parked is not None
    assert (list(match.parked.tokens), match.n_parked, match.n_tokens) == ([1, 2, 7, 8], 3, 3)


def test_another_parked_sequence_is_found_when_the_best_one_was_taken() -> None:
    cache = make_cache()
    park(cache, [1, 2, 3, 4])
    park(cache, [1, 2, 3, 5])
    best = cache.match([1, 2, 3, 5], ANYONE, 4).parked
    assert best is not None
    cache.remove(best)
    assert n_parked(cache, [1, 2, 3, 5]) == 3


def test_what_cannot_be_cut_is_found_only_as_a_whole() -> None:
    cache = make_cache(can_truncate=False)
    cache.set_live(0, [1, 2, 3], ANYONE)
    park(cache, [1, 2])
    park(cache, [1, 2, 3, 4, 5])
    assert (by_slot(cache, [1, 2, 9]), n_parked(cache, [1, 2, 9])) == ({}, 2)
    assert (by_slot(cache, [1, 2, 3, 4]), n_parked(cache, [1, 2, 3, 4])) == ({0: 3}, 2)
    assert n_parked(cache, [1, 2, 3, 4, 5, 6]) == 5


def test_what_is_private_is_found_with_its_own_salt_only() -> None:
    cache = make_cache()
    cache.set_live(0, [1, 2, 3], CacheScope("mine"))
    park(cache, [1, 2, 3], scope=CacheScope("mine"))
    for other in (CacheScope("yours"), ANYONE):
        assert (by_slot(cache, [1, 2, 3], other), n_parked(cache, [1, 2, 3], other)) == ({}, 0)
    assert (by_slot(cache, [1, 2, 3], CacheScope("mine")), n_parked(cache, [1, 2, 3], CacheScope("mine"))) == (
        {0: 3},
        3,
    )


def test_two_salts_share_what_is_public_in_both() -> None:
    cache = make_cache()
    cache.set_live(0, [1, 2, 3, 4, 5], CacheScope("mine", n_public=3))
    assert by_slot(cache, [1, 2, 3, 4, 5], CacheScope("yours", n_public=3)) == {0: 3}
    assert by_slot(cache, [1, 2, 3, 4, 5], CacheScope("yours", n_public=2)) == {0: 2}
    assert by_slot(cache, [1, 2, 3, 4, 5], CacheScope("yours", n_public=9)) == {0: 3}


def test_without_a_salt_everything_counts_as_public() -> None:
    cache = make_cache()
    cache.set_live(0, [1, 2, 3, 4], CacheScope(n_public=1))
    cache.set_live(1, [1, 2, 3, 4], CacheScope("mine", n_public=2))
    assert by_slot(cache, [1, 2, 3, 4], ANYONE) == {0: 4, 1: 2}
    assert by_slot(cache, [1, 2, 3, 4], CacheScope("mine", n_public=2)) == {0: 2, 1: 4}


def test_slots_that_have_only_the_salt_in_common_are_not_found() -> None:
    cache = make_cache()
    cache.set_live(0, [1, 2], CacheScope("mine"))
    cache.set_live(1, [3, 4], CacheScope("mine"))
    park(cache, [5, 6], scope=CacheScope("mine"))
    match = cache.match([7, 8], CacheScope("mine"), 2)
    assert (match.by_slot, match.slot_id, match.parked) == ({}, None, None)


def test_a_salt_may_be_any_string() -> None:
    cache = make_cache()
    cache.set_live(0, [1, 2], CacheScope("\ud800"))
    assert by_slot(cache, [1, 2], CacheScope("\ud800")) == {0: 2}


def test_a_part_of_a_longer_parked_sequence_is_not_kept() -> None:
    cache = make_cache()
    park(cache, [1, 2], n_bytes=10)
    park(cache, [1, 2, 3], n_bytes=15)
    park(cache, [1], n_bytes=5)
    assert (cache.n_parked_entries, cache.n_parked_bytes) == (1, 15)
    assert cache.is_parked([1, 2], ANYONE)


def test_a_part_of_a_longer_one_is_kept_if_that_cannot_be_cut() -> None:
    cache = make_cache(can_truncate=False)
    park(cache, [1, 2, 3])
    assert not cache.is_parked([1, 2], ANYONE)
    park(cache, [1, 2])
    park(cache, [1, 2])
    assert cache.n_parked_entries == 2


def test_nothing_is_never_parked() -> None:
    cache = make_cache()
    assert cache.is_parked([], ANYONE)
    park(cache, [])
    assert cache.n_parked_entries == 0


def test_the_least_recently_used_ones_go_until_the_new_one_fits() -> None:
    cache = make_cache(budget_bytes=10)
    for token in (1, 2, 3):
        park(cache, [token], n_bytes=3)
    park(cache, [4], n_bytes=5)
    assert [n_parked(cache, [token]) for token in (1, 2, 3, 4)] == [0, 0, 1, 1]


def test_what_was_used_goes_later() -> None:
    cache = make_cache(budget_bytes=3)
    for token in (1, 2, 3):
        park(cache, [token])
    first = cache.match([1], ANYONE, 1).parked
    assert first is not None
    cache.touch(first)
    assert cache.is_parked([2], ANYONE)
    park(cache, [4])
    assert [n_parked(cache, [token]) for token in (1, 2, 3, 4)] == [1, 1, 0, 1]


def test_for_one_that_is_too_large_nothing_goes() -> None:
    cache = make_cache(budget_bytes=4)
    park(cache, [1], n_bytes=4)
    assert not cache.has_room(5)
    park(cache, [2], n_bytes=5)
    assert (n_parked(cache, [1]), n_parked(cache, [2])) == (1, 0)


@pytest.mark.parametrize(("budget_bytes", "has_room"), [(0, False), (None, True)])
def test_a_budget_of_zero_parks_nothing_and_none_is_no_limit(budget_bytes: int | None, has_room: bool) -> None:
    cache = make_cache(budget_bytes=budget_bytes)
    park(cache, [1], n_bytes=1000)
    assert (cache.has_room(1000), cache.n_parked_entries) == (has_room, int(has_room))


def test_one_that_has_gone_can_be_used_and_taken_again() -> None:
    cache = make_cache()
    park(cache, [1])
    parked = cache.match([1], ANYONE, 1).parked
    assert parked is not None
    for _ in range(2):
        cache.remove(parked)
        cache.touch(parked)
    assert (cache.n_parked_entries, cache.n_parked_bytes) == (0, 0)


def test_the_memory_of_what_goes_is_free_at_once() -> None:
    cache = make_cache(budget_bytes=1)
    snapshot = np.zeros(1, np.uint8)
    alive = weakref.ref(snapshot)
    cache.park([1, 2, 3], ANYONE, snapshot)
    del snapshot
    gc.disable()
    try:
        park(cache, [1, 2, 4])
        assert alive() is None
    finally:
        gc.enable()


def n_usable(tokens: list[int], scope: CacheScope, by: list[int], by_scope: CacheScope) -> int:
    """How many tokens of one sequence another may take, by the definition."""
    n = next((n for n, (a, b) in enumerate(zip(tokens, by, strict=False)) if a != b), min(len(tokens), len(by)))
    if scope == by_scope:
        return n
    return int(min(n, *(s.n_public if s.salt else inf for s in (scope, by_scope))))


class CacheMachine(RuleBasedStateMachine):
    """The cache against plain lists, compared one by one. Sequences are short and of few tokens, so they meet and part
    all the time."""

    sequences = st.lists(st.integers(0, 1), max_size=6)
    scopes = st.builds(CacheScope, st.sampled_from(["", "", "a", "b"]), st.integers(0, 3))
    slot_ids = st.integers(0, 2)

    @initialize(budget_bytes=st.sampled_from([None, 0, 4, 12]), can_truncate=st.booleans())
    def begin(self, budget_bytes: int | None, can_truncate: bool) -> None:
        self.cache = PrefixCache(budget_bytes, can_truncate=can_truncate)
        self.budget_bytes = budget_bytes
        self.can_truncate = can_truncate
        self.live: dict[int, tuple[list[int], CacheScope]] = {}
        self.parked: list[ParkedSequence] = []
        """The least recently used one first."""

    def n_found(self, tokens: list[int], scope: CacheScope, prompt: list[int], prompt_scope: CacheScope) -> int:
        n = n_usable(tokens, scope, prompt, prompt_scope)
        return n if self.can_truncate or n == len(tokens) else 0

    def is_covered(self, tokens: list[int], scope: CacheScope, by: ParkedSequence) -> bool:
        """Whether a parked sequence makes it needless to park this one."""
        n = n_usable(tokens, scope, list(by.tokens), by.scope)
        return n == len(tokens) and (self.can_truncate or n == len(by.tokens))

    @rule(slot_id=slot_ids, tokens=sequences, scope=scopes)
    def set_live(self, slot_id: int, tokens: list[int], scope: CacheScope) -> None:
        self.cache.set_live(slot_id, tokens, scope)
        self.live[slot_id] = tokens, scope

    @precondition(lambda self: self.live)
    @rule(data=st.data(), tokens=sequences)
    def extend_live(self, data: st.DataObject, tokens: list[int]) -> None:
        slot_id = data.draw(st.sampled_from(sorted(self.live)))
        self.cache.extend_live(slot_id, tokens)
        self.live[slot_id] = self.live[slot_id][0] + tokens, self.live[slot_id][1]

    @rule(slot_id=slot_ids, n_tokens=st.integers(0, 12))
    def cut_live(self, slot_id: int, n_tokens: int) -> None:
        self.cache.truncate_live(slot_id, n_tokens)
        if slot_id in self.live:
            self.live[slot_id] = self.live[slot_id][0][:n_tokens], self.live[slot_id][1]

    @rule(tokens=sequences, scope=scopes, n_bytes=st.integers(1, 5))
    def park(self, tokens: list[int], scope: CacheScope, n_bytes: int) -> None:
        snapshot = np.zeros(n_bytes, np.uint8)
        self.cache.park(tokens, scope, snapshot)
        if self.counts_as_parked(tokens, scope) or not self.cache.has_room(n_bytes):
            return
        kept = [entry for entry in self.parked if not self.goes_into(entry, tokens, scope)]
        while (
            self.budget_bytes is not None and sum(entry.snapshot.nbytes for entry in kept) + n_bytes > self.budget_bytes
        ):
            del kept[0]
        *others, new = self.entries()
        assert others == kept
        assert (list(new.tokens), new.scope, new.snapshot is snapshot) == (tokens, scope, True)
        self.parked = [*kept, new]

    def goes_into(self, entry: ParkedSequence, tokens: list[int], scope: CacheScope) -> bool:
        return self.can_truncate and n_usable(list(entry.tokens), entry.scope, tokens, scope) == len(entry.tokens)

    @precondition(lambda self: self.live)
    @rule(data=st.data(), n_bytes=st.integers(1, 5))
    def park_what_a_slot_has(self, data: st.DataObject, n_bytes: int) -> None:
        slot_id = data.draw(st.sampled_from(sorted(self.live)))
        self.park(*self.live[slot_id], n_bytes)

    @precondition(lambda self: self.parked)
    @rule(data=st.data())
    def use(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.parked))
        self.cache.touch(entry)
        self.parked.remove(entry)
        self.parked.append(entry)

    @precondition(lambda self: self.parked)
    @rule(data=st.data())
    def take(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.parked))
        self.cache.remove(entry)
        self.parked.remove(entry)

    @rule(tokens=sequences, scope=scopes)
    def is_parked(self, tokens: list[int], scope: CacheScope) -> None:
        assert self.cache.is_parked(tokens, scope) == self.counts_as_parked(tokens, scope)

    def counts_as_parked(self, tokens: list[int], scope: CacheScope) -> bool:
        """Whether a sequence is parked; the one of which the cache says so has just been used."""
        covering = [entry for entry in self.parked if self.is_covered(tokens, scope, entry)]
        if covering and tokens:
            used = self.entries()[-1]
            assert used in covering
            self.parked.remove(used)
            self.parked.append(used)
        return bool(covering) or not tokens

    @rule(tokens=sequences, scope=scopes, data=st.data())
    def find(self, tokens: list[int], scope: CacheScope, data: st.DataObject) -> None:
        limit = data.draw(st.integers(0, len(tokens)))
        match = self.cache.match(tokens, scope, limit)
        prompt = tokens[:limit]
        by_slot = {slot_id: self.n_found(*live, prompt, scope) for slot_id, live in self.live.items()}
        by_parked = {entry: self.n_found(list(entry.tokens), entry.scope, prompt, scope) for entry in self.parked}
        assert match.by_slot == {slot_id: n for slot_id, n in by_slot.items() if n}
        assert match.n_live == max(by_slot.values(), default=0)
        assert (match.slot_id is None) == (match.n_live == 0)
        assert match.n_parked == max(by_parked.values(), default=0)
        assert by_parked[match.parked] == match.n_parked if match.parked else match.n_parked == 0

    def entries(self) -> list[ParkedSequence]:
        return list(self.cache._parked)

    @invariant()
    def what_is_parked_is_right_and_in_the_order_of_use(self) -> None:
        assert self.entries() == self.parked
        assert self.cache.n_parked_entries == len(self.parked)

    @invariant()
    def the_bytes_are_counted_and_within_the_budget(self) -> None:
        assert self.cache.n_parked_bytes == sum(entry.snapshot.nbytes for entry in self.parked)
        assert self.budget_bytes is None or self.cache.n_parked_bytes <= self.budget_bytes

    @invariant()
    def nothing_is_parked_twice(self) -> None:
        for one in self.parked:
            others = [other for other in self.parked if other is not one]
            assert not any(self.is_covered(list(one.tokens), one.scope, other) for other in others)

    @invariant()
    def the_lengths_of_live_sequences_are_known(self) -> None:
        assert all(self.cache.n_live(slot_id) == len(tokens) for slot_id, (tokens, _) in self.live.items())

    def teardown(self) -> None:
        for slot_id in self.live:
            self.cache.truncate_live(slot_id, 0)
        for entry in self.parked:
            self.cache.remove(entry)
        assert not self.cache._tree.root.children


TestCacheAgainstPlainLists = CacheMachine.TestCase
TestCacheAgainstPlainLists.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)
