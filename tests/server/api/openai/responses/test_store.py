"""ResponseStore remembers what fits, for who sent it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest

from server.api.openai.responses.store import ResponseStore

MINE, OTHERS = b"mine", b"others"


def item(item_id: str, text: str = "") -> dict[str, Any]:
    return {"id": item_id, "type": "message", "content": text}


def store_with(*names: str, **limits: int) -> ResponseStore:
    store = ResponseStore(**limits)
    for name in names:
        add(store, name)
    return store


def add(store: ResponseStore, name: str, text: str = "", key: bytes = MINE) -> None:
    output = [item(f"out_{name}", text)]
    store.add(key, {"id": name, "output": output}, [item(f"in_{name}")], output)


def known(store: ResponseStore, *names: str) -> list[str]:
    return [name for name in names if store.find(name, MINE)]


def test_a_response_is_found_with_its_conversation() -> None:
    found = store_with("a").find("a", MINE)
    assert found
    assert orjson.loads(found.body)["id"] == "a"
    assert [each["id"] for each in found.items] == ["in_a"]
    assert [each["id"] for each in found.conversation] == ["in_a", "out_a"]


def test_a_response_belongs_to_the_key_of_its_request() -> None:
    store = store_with("a")
    assert store.find("a", OTHERS) is None
    assert store.find_item("out_a", OTHERS) is None
    assert not store.delete("a", OTHERS)
    assert known(store, "a")


@pytest.mark.parametrize("item_id", ["in_a", "out_a"])
def test_an_item_is_found_by_its_id(item_id: str) -> None:
    store = store_with("a", "b")
    assert store.find_item(item_id, MINE) == item(item_id)
    assert store.find_item("other", MINE) is None


def test_the_one_that_was_not_used_for_longest_is_forgotten_first() -> None:
    store = store_with("a", "b", max_responses=2)
    store.find("a", MINE)
    add(store, "c")
    assert known(store, "a", "b", "c") == ["a", "c"]


def test_all_together_take_no_more_room_than_there_is() -> None:
    store = ResponseStore(max_bytes=2_000)
    for name in "abcd":
        add(store, name, "x" * 300)
    assert known(store, *"abcd") == ["c", "d"]
    add(store, "large", "x" * 1_000)
    assert known(store, *"abcd", "large") == ["c", "d"]


def test_what_is_deleted_makes_room() -> None:
    store = ResponseStore(max_bytes=2_000)
    for name in "ab":
        add(store, name, "x" * 300)
    assert store.delete("a", MINE)
    assert not store.delete("a", MINE)
    add(store, "c", "x" * 300)
    assert known(store, *"abc") == ["b", "c"]


def test_many_threads_may_use_it_at_once() -> None:
    store = ResponseStore(max_responses=8)

    def use(number: int) -> None:
        add(store, str(number))
        store.find_item(f"out_{number - 1}", MINE)
        store.delete(str(number - 2), MINE)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(400)))
    assert len(known(store, *map(str, range(400)))) <= 8
