from typing import Any

import pytest

from server.chat.media_parts import media_in
from server.chat.messages import MAX_MESSAGES, read_messages
from server.http.errors import ApiError
from slots.errors import InvalidRequest


def read(*messages: Any) -> list[dict[str, object]]:
    return read_messages(list(messages))


def refusal(value: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read_messages(value)
    return str(caught.value)


def call(**function: Any) -> dict[str, Any]:
    return {"id": "1", "type": "function", "function": {"name": "add"} | function}


@pytest.mark.parametrize(
    ("given", "role"),
    [
        ("system", "system"),
        ("developer", "system"),
        ("user", "user"),
        ("assistant", "assistant"),
        ("tool", "tool"),
        ("function", "tool"),
        (None, "user"),
    ],
)
def test_roles(given: str | None, role: str) -> None:
    assert read({"role": given, "content": "Hi"}) == [{"role": role, "content": "Hi"}]


def test_message_that_lacks_a_role_is_the_users() -> None:
    assert read({"content": "Hi"}) == [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    "content",
    [
        "a\nb",
        [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        [{"type": "input_text", "text": "a"}, {"type": "output_text", "text": "b"}],
        [{"text": "a"}, {"type": "refusal", "refusal": "b"}],
    ],
)
def test_content_is_one_text(content: Any) -> None:
    assert read({"content": content})[0]["content"] == "a\nb"


@pytest.mark.parametrize(
    ("kind", "what"), [("video_url", "videos"), ("video", "videos"), ("file", "files"), ("input_file", "files")]
)
def test_what_is_no_text_is_not_supported(kind: str, what: str) -> None:
    with pytest.raises(ApiError) as caught:
        read({"content": "Hi"}, {"content": [{"type": "text", "text": "a"}, {"type": kind}]})
    assert caught.value.status == 501
    assert str(caught.value) == f"messages[1].content[1]: {what} are not supported, only text is"


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ({"type": "image_url", "image_url": {"url": "data:a"}}, "image"),
        ({"type": "image_url", "image_url": "data:a"}, "image"),
        ({"type": "input_image", "image_url": "data:a"}, "image"),
        ({"type": "input_audio", "input_audio": {"data": "data:a", "format": "wav"}}, "audio"),
        ({"type": "input_audio", "input_audio": {"url": "data:a"}}, "audio"),
    ],
)
def test_a_picture_or_sound_is_a_part_with_its_source(part: Any, kind: str) -> None:
    [message] = read({"content": [{"type": "text", "text": "a"}, part, {"type": "text", "text": "b"}]})
    [media] = media_in([message])
    assert (media.source.name, media.source.url, media.source.kind) == ("messages[0].content[1]", "data:a", kind)
    assert message["content"] == f"a{media}b"


def test_a_marker_of_media_is_another_one_each_time() -> None:
    part = {"type": "image_url", "image_url": {"url": "data:a"}}
    first, second = media_in(read({"content": [part, part]}))
    assert str(first) != str(second)


@pytest.mark.parametrize("part", [{"type": "image_url"}, {"type": "input_audio", "input_audio": {"format": "wav"}}])
def test_media_without_a_file_are_refused_by_name(part: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"^messages\[0\]\.content\[0\]\."):
        read({"content": [part]})


@pytest.mark.parametrize(
    ("given", "arguments"),
    [('{"a": 1,"b":2}', '{"a": 1,"b":2}'), ({"a": "é"}, '{"a": "é"}'), ("", "{}"), (None, "{}"), ({}, "{}")],
)
def test_arguments_are_a_string_of_json(given: Any, arguments: str) -> None:
    [message] = read({"role": "assistant", "content": None, "tool_calls": [call(arguments=given)]})
    assert message["tool_calls"] == [call(arguments=arguments)]
    assert message["content"] is None


@pytest.mark.parametrize("arguments", ['{"text": "ab', "[1]", "no JSON"])
def test_arguments_of_a_call_that_was_cut_off_stay_as_they_are(arguments: str) -> None:
    [message] = read({"role": "assistant", "tool_calls": [call(arguments=arguments)]})
    assert message["tool_calls"] == [call(arguments=arguments)]


@pytest.mark.parametrize("role", ["tool", "function", "assistant"])
def test_null_content_of_answers_and_results_is_an_empty_text(role: str) -> None:
    nothing: Any = {"refusal": None, "tool_calls": None, "function_call": None, "audio": None}
    assert read({"role": role, "content": None} | nothing)[0]["content"] == ""


def test_call_that_lacks_id_and_type_gets_them() -> None:
    [message] = read({"role": "assistant", "tool_calls": [{"function": {"name": "add", "arguments": "{}"}}]})
    expected = {"id": "add", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    assert message["tool_calls"] == [expected]


def test_function_call_is_a_tool_call() -> None:
    [message] = read({"role": "assistant", "content": None, "function_call": {"name": "add", "arguments": "{}"}})
    assert message["tool_calls"] == [{"id": "add", "type": "function", "function": {"name": "add", "arguments": "{}"}}]


def test_what_belongs_to_a_message_is_kept() -> None:
    thoughtful = {"role": "assistant", "content": "Hi", "reasoning_content": "Hm", "name": "Bo"}
    answer = {"role": "tool", "content": "3", "tool_call_id": "1", "name": "add"}
    assert read(thoughtful, answer) == [thoughtful, answer]


def test_what_a_client_adds_is_left_out() -> None:
    given: Any = {
        "role": "assistant",
        "content": "Hi",
        "refusal": None,
        "audio": None,
        "annotations": [],
        "tool_calls": [],
    }
    assert read(given) == [{"role": "assistant", "content": "Hi"}]


@pytest.mark.parametrize("role", ["system", "user", "assistant", "tool"])
def test_a_content_of_null_is_an_empty_one(role: str) -> None:
    assert read({"role": role, "content": None}) == [{"role": role, "content": ""}]


def test_thoughts_are_enough_for_an_answer() -> None:
    assert read({"role": "assistant", "reasoning_content": "Hm"})[0]["content"] is None


@pytest.mark.parametrize(
    ("message", "refused"),
    [
        ("Hi", 'messages[1]: expected an object with role and content, got "Hi"'),
        ({"role": "king", "content": "Hi"}, "messages[1].role: expected one of system, developer, user"),
        ({"role": ["user"], "content": "Hi"}, "messages[1].role: expected one of"),
        ({"role": "user"}, "messages[1].content: expected a string or a list of text parts, got nothing"),
        ({"role": "assistant"}, "messages[1].content: expected a string or a list"),
        ({"role": "tool", "content": 3}, "messages[1].content: expected a string or a list of text parts, got 3"),
        ({"content": ["Hi"]}, 'messages[1].content[0]: expected a part such as {"type": "text"'),
        ({"content": [{"type": "smell"}]}, 'messages[1].content[0].type: expected text, got "smell"'),
        ({"content": [{"type": "text"}]}, "messages[1].content[0].text: expected a string, got nothing"),
        ({"content": "Hi", "name": 3}, "messages[1].name: expected a string, got 3"),
        ({"role": "tool", "content": "3", "tool_call_id": 3}, "messages[1].tool_call_id: expected a string, got 3"),
        ({"role": "assistant", "tool_calls": {}}, "messages[1].tool_calls: expected a list of calls, got {}"),
        ({"role": "assistant", "tool_calls": [3]}, "messages[1].tool_calls[0]: expected an object"),
        ({"role": "assistant", "tool_calls": [{"type": "x"}]}, "messages[1].tool_calls[0].type: expected function"),
        ({"role": "assistant", "tool_calls": [{}]}, "messages[1].tool_calls[0].function: expected an object"),
        (
            {"role": "assistant", "tool_calls": [call(name=3)]},
            "messages[1].tool_calls[0].function.name: expected a string, got 3",
        ),
        (
            {"role": "assistant", "tool_calls": [call(arguments=[1])]},
            "messages[1].tool_calls[0].function.arguments: expected a string, got [1]",
        ),
        ({"role": "assistant", "tool_calls": [call()] * 129}, "messages[1].tool_calls: expected at most 128 calls"),
    ],
)
def test_refusal_names_what_is_wrong(message: Any, refused: str) -> None:
    assert refusal([{"content": "Hi"}, message]).startswith(refused)


@pytest.mark.parametrize("value", [None, [], {}, "Hi"])
def test_messages_are_needed(value: Any) -> None:
    assert refusal(value).startswith("messages: expected a list of at least one message, got ")


def test_messages_are_not_more_than_can_be_held() -> None:
    assert refusal([{"content": "Hi"}] * (MAX_MESSAGES + 1)) == "messages: expected at most 4096 messages, got 4097"


def test_arguments_are_not_deeper_than_can_be_held() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a": deep}
    message = refusal([{"role": "assistant", "tool_calls": [call(arguments=deep)]}])
    assert message == "messages[0].tool_calls[0].function.arguments: expected arguments that are less deep"
