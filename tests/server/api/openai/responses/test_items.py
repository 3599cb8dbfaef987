"""Items of a response's input become what chat templates take."""

from contextlib import nullcontext
from typing import Any

import pytest

from server.api.openai.responses.items import (
    read_input,
    resolve_references,
    seal_thoughts,
    to_messages,
    unseal_thoughts,
)
from server.chat.media_parts import TextParts
from server.chat.messages import Message
from slots.errors import InvalidRequest

HELLO: Any = {"role": "user", "content": "Hello"}
CALL: Any = {"type": "function_call", "call_id": "a", "name": "read", "arguments": '{"n": 1}'}
READ_CALL = {"id": "a", "type": "function", "function": {"name": "read", "arguments": '{"n": 1}'}}
OUTPUT: Any = {"type": "function_call_output", "call_id": "a", "output": "It is empty."}
RESULT = {"role": "tool", "tool_call_id": "a", "content": "It is empty."}


def messages_of(value: Any, instructions: str = "") -> list[Message]:
    return to_messages(instructions, read_input(value))[0]


def answer(text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}


def thoughts(**members: Any) -> dict[str, Any]:
    return {"type": "reasoning", "id": "rs_1", "summary": [], **members}


def test_a_text_is_what_the_user_says() -> None:
    assert messages_of("Hello") == messages_of([HELLO]) == [HELLO]


def test_text_is_kept_in_its_parts() -> None:
    parts = [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]
    [message] = messages_of([{"type": "message", "role": "user", "content": parts}])
    assert message == {"role": "user", "content": "a\nb"}
    assert isinstance(message["content"], TextParts)
    assert message["content"].parts == ("a", "b")


def test_instructions_and_what_developers_say_before_a_conversation_are_one_message() -> None:
    first, later = {"role": "developer", "content": "Rhyme."}, {"role": "developer", "content": "Stop."}
    system = {"role": "system", "content": "Be brief.\n\nRhyme."}
    assert messages_of([first, HELLO, later], "Be brief.") == [system, HELLO, {"role": "system", "content": "Stop."}]


def test_what_a_model_thinks_says_and_calls_in_one_go_is_one_message() -> None:
    thought = thoughts(content=[{"type": "reasoning_text", "text": "Hm."}])
    turn = {"role": "assistant", "content": "I read.", "tool_calls": [READ_CALL], "reasoning_content": "Hm."}
    done = {"role": "assistant", "content": "Done."}
    items = [HELLO, thought, answer("I read."), CALL, OUTPUT, answer("Done.")]
    assert messages_of(items) == [HELLO, turn, RESULT, done]


def test_calls_without_text_have_no_content() -> None:
    other = {**CALL, "call_id": "b", "arguments": ""}
    [message, *_] = messages_of([CALL, other, OUTPUT])
    assert message["content"] is None
    calls: Any = message["tool_calls"]
    assert [(call["id"], call["function"]["arguments"]) for call in calls] == [("a", '{"n": 1}'), ("b", "{}")]


def test_an_output_is_a_text_or_parts() -> None:
    parts = [{"type": "input_text", "text": "It is"}, {"type": "input_text", "text": "empty."}]
    assert messages_of([{**OUTPUT, "output": parts}]) == [{**RESULT, "content": "It is\nempty."}]


def test_the_input_of_a_custom_tool_is_an_argument() -> None:
    call = {"type": "custom_tool_call", "call_id": "a", "name": "patch", "input": '*** "ä"\n'}
    output = {"type": "custom_tool_call_output", "call_id": "a", "output": "It is empty."}
    [message, result] = messages_of([call, output])
    function = {"name": "patch", "arguments": '{"input":"*** \\"ä\\"\\n"}'}
    assert message["tool_calls"] == [{"id": "a", "type": "function", "function": function}]
    assert result == RESULT


@pytest.mark.parametrize(("namespace", "name"), [("github", "github.read"), ("functions", "read"), ("", "read")])
def test_a_tool_in_a_namespace_has_both_names(namespace: str, name: str) -> None:
    [message] = messages_of([{**CALL, "namespace": namespace}])
    calls: Any = message["tool_calls"]
    assert calls[0]["function"]["name"] == name


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"content": [{"type": "reasoning_text", "text": "Hm."}], "encrypted_content": seal_thoughts("no")}, "Hm."),
        ({"encrypted_content": seal_thoughts("Hm."), "summary": [{"type": "summary_text", "text": "no"}]}, "Hm."),
        (
            {"encrypted_content": "gAAAAAB-of-another-server", "summary": [{"type": "summary_text", "text": "Hm."}]},
            "Hm.",
        ),
        ({"encrypted_content": None, "content": None}, None),
    ],
)
def test_thoughts_are_the_content_or_what_is_sealed_or_the_summary(members: Any, text: str | None) -> None:
    [message, *_] = messages_of([thoughts(**members), answer("A cat."), HELLO])
    assert message.get("reasoning_content") == text


@pytest.mark.parametrize("sealed", ["llama-slots:", "llama-slots:!", "llama-slots:/w==", "llama-slots:7aCA", "", "abc"])
def test_what_is_not_sealed_here_holds_no_thoughts(sealed: str) -> None:
    assert unseal_thoughts(sealed) == ""


def test_what_tools_of_other_servers_did_is_left_out_with_a_warning() -> None:
    messages, warnings = to_messages("", read_input([HELLO, {"type": "web_search_call", "id": "ws_1"}]))
    assert messages == [HELLO]
    assert warnings == ['input[1]: an item of the type "web_search_call" is not shown to the model']


def test_a_reference_stands_for_an_item() -> None:
    items = read_input([HELLO, {"type": "item_reference", "id": "msg_1"}, {"id": "msg_1"}])
    found = resolve_references(items, {"msg_1": answer("A cat.")}.get)
    assert to_messages("", found)[0][1] == {"role": "assistant", "content": "A cat.\nA cat."}
    with pytest.raises(InvalidRequest, match=r"input\[1\].id: expected the id of an item of a stored response"):
        resolve_references(items, lambda _: None)


def test_every_item_has_an_id() -> None:
    items = resolve_references(read_input([HELLO, {**HELLO, "id": "mine"}, CALL, OUTPUT]), lambda _: None)
    ids = [str(item["id"]) for item in items]
    assert ids[1] == "mine"
    assert [item_id.split("_")[0] for item_id in (ids[0], *ids[2:])] == ["msg", "fc", "fco"]


def test_null_is_empty() -> None:
    said = {"type": "message", "role": "assistant", "content": None}
    call, output = {**CALL, "arguments": None}, {**OUTPUT, "output": None}
    _, answer, result, last = messages_of([HELLO, said, call, output, {"role": "user", "content": None}])
    assert answer["tool_calls"][0]["function"]["arguments"] == "{}"  # type: ignore[index]
    assert (result["content"], last) == ("", {"role": "user", "content": ""})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1, "input: expected a string or a list of items, got 1"),
        ([], "input: expected at least one message, got none"),
        ([HELLO, "a"], r"input\[1\]: expected an item"),
        ([{"type": "dream"}], r'input\[0\].type: expected one of message, .*, got "dream"'),
        ([{"role": "robot", "content": "a"}], r"input\[0\].role: expected one of user"),
        ([{"role": "user"}], r"input\[0\].content: expected a string or a list"),
        ([{"role": "user", "content": [{"type": "input_text"}]}], r"input\[0\].content\[0\].text"),
        ([{**CALL, "name": None}], r"input\[0\].name: expected a string"),
        ([{**CALL, "call_id": 1}], r"input\[0\].call_id: expected a string"),
        ([{**CALL, "arguments": {}}], r"input\[0\].arguments: expected a string"),
        ([{**OUTPUT, "output": 1}], r"input\[0\].output: expected a string"),
        ([thoughts(content=["a"])], r"input\[0\].content\[0\]: expected an object with text"),
        ([thoughts(summary="a")], r"input\[0\].summary: expected a list of texts"),
        ([CALL] * 129, "input: expected at most 128 calls in a turn"),
        ([HELLO] * 4097, "input: expected at most 4096 items"),
    ],
)
def test_what_is_wrong_is_named(value: Any, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        messages_of(value)


@pytest.mark.parametrize(("depth", "is_refused"), [(240, False), (250, True), (300, True)])
def test_what_is_too_deep_for_a_response_is_refused(depth: int, is_refused: bool) -> None:
    deep: Any = []
    for _ in range(depth - 1):
        deep = [deep]
    with pytest.raises(InvalidRequest, match="input: expected JSON that is less deep") if is_refused else nullcontext():
        messages_of([{**HELLO, "extra": deep}])
