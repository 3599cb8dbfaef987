from itertools import permutations

from server.chat.template.probes import CALLS, CONTENT, LONG_ID, OTHER_USER, USER


def test_no_word_is_found_within_another() -> None:
    words = [word for call in CALLS for word in (call.call_id, call.name, call.argument, call.value)]
    assert not [(one, other) for one, other in permutations([*words, CONTENT, LONG_ID], 2) if one in other]


def test_the_users_have_no_beginning_and_no_length_in_common() -> None:
    one, other = str(USER["content"]), str(OTHER_USER["content"])
    assert one[0] != other[0]
    assert len(one) != len(other)
