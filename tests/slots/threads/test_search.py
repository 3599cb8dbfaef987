"""Which numbers of threads are tried, one after the other."""

from slots.threads.search import NumberSearch


def test_half_as_many_threads_are_tried_first() -> None:
    assert NumberSearch(16).below(16) == 8
    assert NumberSearch(16).below(1) is None


def test_twice_as_many_are_tried_up_to_the_maximum() -> None:
    assert NumberSearch(12).above(4) == 8
    assert NumberSearch(12).above(8) == 12
    assert NumberSearch(12).above(12) is None


def test_the_way_to_a_slower_number_is_halved() -> None:
    search = NumberSearch(16)
    search.mark_slower(16)
    assert [search.above(number) for number in (8, 12, 14, 15)] == [12, 14, 15, None]
    search.mark_slower(4)
    assert [search.below(number) for number in (8, 6, 5)] == [6, 5, None]


def test_a_number_that_was_slower_can_be_tried_again() -> None:
    search = NumberSearch(16)
    search.mark_slower(16)
    search.mark_slower(12)
    assert search.slower_above(8) == 12
    search.forget()
    assert search.slower_above(8) is None
    assert search.above(8) == 16


def test_neighbours_are_tried_in_turns() -> None:
    search = NumberSearch(16)
    tried = []
    for _ in range(6):
        number = search.neighbour(8)
        assert number is not None
        search.note_trial(number)
        tried.append(number)
    assert tried == [16, 4, 9, 7, 16, 4]
    assert NumberSearch(1).neighbour(1) is None
