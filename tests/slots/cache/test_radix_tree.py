from array import array
from collections.abc import Iterator, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from slots.cache.radix_tree import Keys, Node, RadixTree, common_prefix_length

tokens = st.lists(st.integers(0, 3), max_size=600)


@given(tokens, tokens, tokens)
def test_the_common_prefix_is_where_two_sequences_first_differ(
    common: list[int], one: list[int], two: list[int]
) -> None:
    a, b = common + one, common + two
    n = common_prefix_length(a, b)
    assert a[:n] == b[:n]
    assert n == min(len(a), len(b)) or a[n] != b[n]


@given(st.integers(0, 2000), st.integers(0, 1000), st.integers(0, 1000))
def test_long_sequences_have_in_common_what_is_in_front_of_the_first_difference(
    n: int, n_one: int, n_other: int
) -> None:
    assert common_prefix_length([0] * n + [1] * n_one, [0] * n + [2] * n_other) == n


def test_sequences_that_share_nothing_have_no_common_prefix() -> None:
    assert common_prefix_length([1, 2], [3]) == 0
    assert common_prefix_length([], [1]) == 0


def test_the_second_sequence_may_begin_later() -> None:
    assert common_prefix_length([1, 2, 3], [7, 8, 1, 2, 4], 2) == 2


def to_keys(numbers: Sequence[int]) -> Keys:
    return array("q", numbers)


def nodes(tree: RadixTree[str]) -> dict[tuple[int, ...], Node[str]]:
    """All nodes but the root, by the symbols that lead to their ends."""

    def below(node: Node[str], path: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Node[str]]]:
        for first, child in node.children.items():
            assert child.parent is node
            assert child.label[0] == first
            yield path + tuple(child.label), child
            yield from below(child, path + tuple(child.label))

    return dict(below(tree.root, ()))


def test_a_walk_tells_how_far_each_node_agrees() -> None:
    tree = RadixTree[str]()
    tree.add_entry(to_keys([1, 2, 3, 4]), "one")
    tree.add_entry(to_keys([1, 2, 7, 8, 9]), "other")
    found = [(list(node.label), depth) for node, depth in tree.root.walk(to_keys([1, 2, 7, 8, 5]))]
    assert found == [([1, 2], 2), ([7, 8, 9], 4)]


def test_a_slot_that_goes_on_like_another_sequence_goes_along_its_nodes() -> None:
    tree = RadixTree[str]()
    tree.add_entry(to_keys([1, 2, 3, 4]), "entry")
    end = tree.extend_slot(0, tree.root, to_keys([1]))
    tree.extend_slot(0, end, to_keys([2, 3]))
    assert [(list(node.label), depth) for node, depth in tree.root.walk(to_keys([1, 2, 3, 4]))] == [
        ([1, 2, 3], 3),
        ([4], 4),
    ]


def test_a_walk_takes_one_step_along_many_that_have_all_of_it() -> None:
    tree = RadixTree[str]()
    for n in range(1000):
        tree.add_entry(to_keys([1, 2, 3, n]), str(n))
    assert len(list(tree.root.walk(to_keys([1, 2, 3])))) == 1


class TreeMachine(RuleBasedStateMachine):
    """The tree against the plain list of what everyone has. Sequences are short and of few symbols, so they meet and
    part all the time."""

    numbers = st.lists(st.integers(0, 1), min_size=1, max_size=6).map(tuple)
    slot_ids = st.integers(0, 2)

    def __init__(self) -> None:
        super().__init__()
        self.tree = RadixTree[str]()
        self.slots: dict[int, tuple[int, ...]] = {}
        self.slot_ends: dict[int, Node[str]] = {}
        self.entries: dict[str, tuple[int, ...]] = {}
        self.entry_ends: dict[str, Node[str]] = {}

    @rule(slot_id=slot_ids, numbers=numbers)
    def extend_slot(self, slot_id: int, numbers: tuple[int, ...]) -> None:
        end = self.slot_ends.get(slot_id, self.tree.root)
        self.slot_ends[slot_id] = self.tree.extend_slot(slot_id, end, to_keys(numbers))
        self.slots[slot_id] = self.slots.get(slot_id, ()) + numbers

    @precondition(lambda self: self.slots)
    @rule(data=st.data())
    def cut_slot(self, data: st.DataObject) -> None:
        slot_id = data.draw(st.sampled_from(sorted(self.slots)))
        depth = data.draw(st.integers(0, len(self.slots[slot_id])))
        self.slot_ends[slot_id] = self.tree.truncate_slot(slot_id, self.slot_ends[slot_id], depth)
        self.slots[slot_id] = self.slots[slot_id][:depth]

    @rule(numbers=numbers)
    def add_entry(self, numbers: tuple[int, ...]) -> None:
        if numbers not in self.entries.values():
            name = str(numbers)
            self.entries[name] = numbers
            self.entry_ends[name] = self.tree.add_entry(to_keys(numbers), name)

    @precondition(lambda self: self.entries)
    @rule(data=st.data())
    def remove_entry(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.entries)))
        del self.entries[name]
        self.tree.remove_entry(self.entry_ends.pop(name))

    @invariant()
    def there_is_a_node_where_a_sequence_ends_or_sequences_part_and_nowhere_else(self) -> None:
        ends = {*self.slots.values(), *self.entries.values()}
        prefixes = {sequence[:n] for sequence in ends for n in range(1, len(sequence) + 1)}
        parting = {prefix for prefix in prefixes if {(*prefix, 0), (*prefix, 1)} <= prefixes}
        assert nodes(self.tree).keys() == (ends - {()}) | parting

    @invariant()
    def every_node_names_those_whose_sequences_lead_through_it(self) -> None:
        for path, node in nodes(self.tree).items():
            n = node.depth
            assert n == len(path)
            assert node.slots == {slot_id for slot_id, sequence in self.slots.items() if sequence[:n] == path}
            entries = {name for name, sequence in self.entries.items() if sequence[:n] == path}
            assert node.entry in entries if entries else node.entry is None
            assert node.terminal == next((name for name in entries if self.entries[name] == path), None)

    @invariant()
    def every_sequence_still_ends_at_its_node(self) -> None:
        at = {(): self.tree.root, **nodes(self.tree)}
        assert all(self.slot_ends[slot_id] is at[sequence] for slot_id, sequence in self.slots.items())
        assert all(self.entry_ends[name] is at[sequence] for name, sequence in self.entries.items())


TestTreeAgainstPlainLists = TreeMachine.TestCase
TestTreeAgainstPlainLists.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
