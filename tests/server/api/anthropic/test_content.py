"""Blocks of messages become what chat templates take."""

from typing import Any

import pytest

from server.api.anthropic.content import read_system, read_turns, unshown_blocks
from server.chat.media_parts import TextParts
from server.chat.messages import Message
from slots.errors import InvalidRequest

CALL: dict[str, Any] = {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"file": "ä.txt", "line": 2**70}}
READ_CALL = {
    "id": "toolu_1",
    "type": "function",
    "function": {"name": "read", "arguments": f'{{"file": "ä.txt", "line": {2**70}}}'},
}
RESULT: dict[str, Any] = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "It is empty."}
HEADER = "x-anthropic-billing-header: cc_version=2.1.101.e51; cc_entrypoint=cli; cch=a5145;"


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


def turn(role: str, *blocks: Any) -> list[Message]:
    return read_turns([{"role": role, "content": list(blocks)}])


def test_text_is_kept_in_its_parts() -> None:
    [message] = turn("user", text("a"), text("b"))
    assert message == {"role": "user", "content": "a\nb"}
    assert isinstance(message["content"], TextParts)
    assert message["content"].parts == ("a", "b")


def test_a_single_block_is_as_good_as_a_string() -> None:
    [message] = turn("user", text("a"))
    assert [message] == read_turns([{"role": "user", "content": "a"}])
    assert not isinstance(message["content"], TextParts)


def test_results_come_before_the_text_beside_them() -> None:
    result = {"role": "tool", "tool_call_id": "toolu_1", "content": "It is empty."}
    assert turn("user", text("Go on."), RESULT) == [result, {"role": "user", "content": "Go on."}]


def test_neighbours_of_one_role_are_one_turn() -> None:
    messages = read_turns(
        [
            {"role": "user", "content": "a"},
            {"role": "user", "content": [text("b")]},
            {"role": "assistant", "content": [text("c")]},
            {"role": "assistant", "content": [CALL]},
            {"role": "user", "content": [RESULT]},
        ]
    )
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]
    assert messages[1] == {"role": "assistant", "content": "c", "tool_calls": [READ_CALL]}


def test_an_answer_has_text_thoughts_and_calls() -> None:
    thoughts = {"type": "thinking", "thinking": "Hm.", "signature": "abc"}
    hidden = {"type": "redacted_thinking", "data": "AAAA"}
    [message] = turn("assistant", hidden, thoughts, text("I read it."), CALL)
    said = {"content": "I read it.", "reasoning_content": "Hm.", "tool_calls": [READ_CALL]}
    assert message == {"role": "assistant", **said}


def test_an_answer_without_text_has_no_content_but_if_it_has_nothing_else() -> None:
    [called] = turn("assistant", text(""), CALL)
    assert called["content"] is None
    assert turn("assistant", text("")) == [{"role": "assistant", "content": ""}]


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
def test_a_turn_without_blocks_is_an_empty_one(role: str) -> None:
    assert turn(role) == [{"role": role, "content": ""}]


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
def test_a_content_of_null_is_an_empty_one(role: str) -> None:
    assert read_turns([{"role": role, "content": None}]) == [{"role": role, "content": ""}]


def test_a_call_whose_input_is_null_has_no_arguments() -> None:
    [message] = turn("assistant", CALL | {"input": None})
    assert message["tool_calls"][0]["function"]["arguments"] == "{}"  # type: ignore[index]


def test_blocks_of_tools_that_only_anthropic_runs_are_not_shown_to_the_model() -> None:
    search = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "cats"}}
    found = {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []}
    assert turn("assistant", search, found, text("Cats purr.")) == [{"role": "assistant", "content": "Cats purr."}]
    assert list(unshown_blocks([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [search]}])) == [
        'messages[1].content[0]: a block of the type "server_tool_use" is not shown to the model'
    ]


def test_a_tool_that_a_search_for_tools_found_is_named() -> None:
    reference = {"type": "tool_reference", "tool_name": "read"}
    [result] = turn("user", RESULT | {"content": [reference]})
    assert result["content"] == "read"


def test_documents_of_text_and_search_results_are_text() -> None:
    plain = {"type": "text", "media_type": "text/plain", "data": "Cats purr."}
    parts = {"type": "content", "content": [text("Dogs bark.")]}
    found = {"type": "search_result", "source": "https://cats.example", "title": "Cats", "content": [text("Meow.")]}
    documents = [{"type": "document", "title": "On cats", "source": plain}, {"type": "document", "source": parts}]
    [message] = turn("user", *documents, found)
    assert message["content"] == "On cats\nCats purr.\nDogs bark.\nCats\nhttps://cats.example\nMeow."


@pytest.mark.parametrize(
    "system",
    [
        [text(HEADER), text("Be kind.")],
        [text(f"{HEADER}\nBe kind.")],
        f"{HEADER}\n\nBe kind.",
        f"{HEADER}Be kind.",
        "x-anthropic-billing-header: cch=0\nBe kind.",
        "Be kind.",
    ],
)
def test_a_header_at_the_beginning_is_left_out(system: Any) -> None:
    assert read_system(system) == "Be kind."


def test_a_header_in_the_middle_stays() -> None:
    system = f"Do not send this: {HEADER}"
    assert read_system(system) == system
    assert read_system([text(HEADER)]) == ""


@pytest.mark.parametrize(
    ("role", "block", "field"),
    [
        ("user", "a", "messages[0].content[0]"),
        ("user", {"text": "a"}, "messages[0].content[0].type"),
        ("user", {"type": "tool_result"}, "messages[0].content[0].tool_use_id"),
        ("user", RESULT | {"is_error": "yes"}, "messages[0].content[0].is_error"),
        ("user", RESULT | {"content": [CALL]}, "messages[0].content[0].content[0].type"),
        ("user", {"type": "document", "source": {"type": "text"}}, "messages[0].content[0].source.data"),
        ("assistant", RESULT, "messages[0].content[0].type"),
        ("assistant", CALL | {"input": "{}"}, "messages[0].content[0].input"),
        ("assistant", {"type": "thinking"}, "messages[0].content[0].thinking"),
        ("system", CALL, "messages[0].content[0].type"),
    ],
)
def test_wrong_blocks_are_named(role: str, block: Any, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        turn(role, block)
    assert caught.value.field == field


def test_arguments_that_are_too_deep_are_named() -> None:
    deep: dict[str, Any] = {}
    for _ in range(20_000):
        deep = {"a": deep}
    with pytest.raises(InvalidRequest, match=r"messages\[0\]\.content\[0\]\.input: expected arguments that are less"):
        turn("assistant", CALL | {"input": deep})
