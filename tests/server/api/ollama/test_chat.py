"""POST /api/chat."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import running_server
from tests.server.api.ollama.ollama_client import TURN, chat, generate, lines, prompt_of, refusal
from tests.server.http_client import Json, post, tokenize

WEATHER: Json = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}},
            "required": ["city"],
        },
    },
}
FORCED = {"tools": [WEATHER], "tool_choice": "required", "options": {"num_predict": 200}}
THINKING = (
    "{% for message in messages %}{{ message.role }}: {% if message.reasoning_content %}<think>"
    "{{ message.reasoning_content }}</think>{% endif %}{{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant ({{ reasoning_effort }}): <think>\n"
    "{% if enable_thinking is defined and not enable_thinking %}\n</think>\n\n{% endif %}{% endif %}"
)
THOUGHT = {"grammar": 'root ::= "<think>\\nI see a cat.\\n</think>\\n\\nA cat!"', "num_predict": 60}


def test_answer_is_that_of_a_prompt(server: str) -> None:
    answer = chat(server)
    assert answer["message"] == {"role": "assistant", "content": generate(server)["response"]}
    assert (answer["done"], answer["done_reason"], answer["eval_count"]) == (True, "length", 8)
    assert answer["prompt_eval_count"] == len(tokenize(server, prompt_of(server, [TURN])))


def test_it_is_a_stream_unless_that_is_turned_off(server: str) -> None:
    *chunks, last = lines(server, "/api/chat")
    assert all(chunk.keys() == {"model", "created_at", "message", "done"} for chunk in chunks)
    assert all(chunk["message"]["role"] == "assistant" for chunk in chunks)
    assert "".join(chunk["message"]["content"] for chunk in chunks) == chat(server)["message"]["content"]
    assert last["message"] == {"role": "assistant", "content": ""}
    assert last["done"]
    assert last.keys() == chat(server).keys()


def test_call_has_its_arguments_as_an_object(server: str) -> None:
    answer = chat(server, **FORCED)
    [call] = answer["message"]["tool_calls"]
    assert call["function"].keys() == {"index", "name", "arguments"}
    assert (call["function"]["index"], call["function"]["name"]) == (0, "get_weather")
    assert call["function"]["arguments"]["city"] in ("Paris", "Rome")
    assert call["id"]
    assert answer["message"]["content"] == ""
    assert answer["done_reason"] == "stop"


def test_call_is_one_line_of_a_stream(server: str) -> None:
    *chunks, last = lines(server, "/api/chat", **FORCED | {"options": {"num_predict": 200, "temperature": 0}})
    [with_call] = [chunk for chunk in chunks if "tool_calls" in chunk["message"]]
    [expected] = chat(server, **FORCED)["message"]["tool_calls"]
    [call] = with_call["message"]["tool_calls"]
    assert call["function"] == expected["function"]
    assert "tool_calls" not in last["message"]


def test_results_find_their_calls_without_ids(server: str) -> None:
    call = {"function": {"name": "get_weather", "arguments": {"city": "Rome"}}}
    history = [TURN, {"role": "assistant", "content": "", "tool_calls": [call]}]
    result = {"role": "tool", "tool_name": "get_weather", "content": "Sunny."}
    counts = [
        chat(server, messages=[*history, result | ids], tools=[WEATHER])["prompt_eval_count"]
        for ids in ({}, {"tool_name": None}, {"tool_call_id": "call_1"})
    ]
    assert len(set(counts)) == 1


def text_of(server: str, **fields: object) -> str:
    return str(chat(server, options={"num_predict": 300}, **fields)["message"]["content"])


def test_format_json_is_any_object(server: str) -> None:
    assert isinstance(json.loads(text_of(server, format="json")), dict)


def test_format_may_be_a_schema(server: str) -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    assert isinstance(json.loads(text_of(server, format=schema))["age"], int)


def test_empty_format_leaves_the_answer_free(server: str) -> None:
    assert chat(server, format="")["message"] == chat(server)["message"]


def test_other_formats_are_refused(server: str) -> None:
    assert refusal(server, "/api/chat", format="xml") == (
        'format: expected "json" or a JSON schema, which is an object, got "xml"'
    )


@pytest.mark.parametrize(("keep_alive", "reason"), [("5m", "load"), (0, "unload")])
def test_request_without_messages_loads_or_unloads(server: str, keep_alive: object, reason: str) -> None:
    answer = post(server, {"model": "any", "messages": [], "keep_alive": keep_alive}, "/api/chat").json()
    assert answer["message"] == {"role": "assistant", "content": ""}
    assert (answer["done"], answer["done_reason"]) == (True, reason)


def test_oldest_turns_of_a_long_chat_are_left_out(server: str) -> None:
    turns = [
        {"role": role, "content": f"{role} {number} " + "word " * 100}
        for number in range(12)
        for role in ("user", "assistant")
    ]
    system, last = {"role": "system", "content": "You tell stories."}, TURN
    answer = chat(server, messages=[system, *turns, last])
    kept = [
        len(tokenize(server, prompt_of(server, [system, *turns[start:], last]))) for start in range(0, len(turns), 2)
    ]
    assert kept[0] > 2048
    assert answer["prompt_eval_count"] == max(count for count in kept if count <= 2048)
    assert "exceeds the available context size" in refusal(
        server, "/api/chat", messages=[system, *turns, last], truncate=False
    )


def test_last_turn_is_not_left_out(server: str) -> None:
    long = {"role": "user", "content": "word " * 3000}
    assert "exceeds the available context size" in refusal(server, "/api/chat", messages=[TURN, long])


@pytest.fixture(scope="module")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("thinker")
    (folder / "template").write_text(THINKING)
    with running_server(folder, "--chat-template-file", str(folder / "template")) as url:
        yield url


@pytest.mark.parametrize("think", [None, True, "low"])
def test_thoughts_are_apart_from_the_answer(thinker: str, think: object) -> None:
    message = chat(thinker, think=think, options=THOUGHT)["message"]
    assert (message["thinking"], message["content"]) == ("I see a cat.", "A cat!")
    answer = generate(thinker, think=think, options=THOUGHT)
    assert (answer["thinking"], answer["response"]) == ("I see a cat.", "A cat!")


def test_thoughts_are_streamed_apart(thinker: str) -> None:
    chunks = lines(thinker, "/api/chat", options=THOUGHT | {"temperature": 0})
    messages = [chunk["message"] for chunk in chunks]
    assert "".join(message.get("thinking", "") for message in messages) == "I see a cat."
    assert "".join(message["content"] for message in messages) == "A cat!"
    assert not any(message.get("thinking") and message["content"] for message in messages)


def test_think_is_told_to_the_template(thinker: str) -> None:
    def count(think: object) -> int:
        return int(chat(thinker, think=think)["prompt_eval_count"])

    assert count(False) > count(True)  # the template ends the thoughts itself
    assert count("high") == count("max") != count(True)


def test_thoughts_of_earlier_answers_go_back_in(thinker: str) -> None:
    def count(**members: str) -> int:
        earlier = {"role": "assistant", "content": "A cat!", **members}
        return int(chat(thinker, messages=[TURN, earlier, TURN])["prompt_eval_count"])

    assert count(thinking="I see a cat.") > count()


def test_model_that_does_not_think_refuses_to(server: str) -> None:
    for path in ("/api/chat", "/api/generate"):
        assert refusal(server, path, model="any", think=True) == (
            'think: "any" does not support thinking, expected false or nothing'
        )
    assert chat(server, think=False)["message"] == chat(server)["message"]


def test_capability_is_listed(thinker: str) -> None:
    assert "thinking" in post(thinker, {"model": "bundled"}, "/api/show").json()["capabilities"]


@pytest.mark.parametrize(
    ("messages", "start"),
    [
        ("Hi", "messages: expected a list of messages"),
        ([{"role": "robot", "content": "Hi"}], "messages[0].role: expected one of"),
        ([{"role": "user", "content": 5}], "messages[0].content: expected a string"),
        ([{"role": "user", "content": "Hi", "images": "aGk="}], "messages[0].images: expected a list of images"),
        ([{"role": "assistant", "tool_calls": [{}]}], "messages[0].tool_calls[0]: expected an object such as"),
        ([{"role": "assistant", "thinking": 5}], "messages[0].thinking: expected a string"),
    ],
)
def test_error_names_the_member_that_is_wrong(server: str, messages: object, start: str) -> None:
    assert refusal(server, "/api/chat", messages=messages).startswith(start)


def test_role_may_be_in_capitals(server: str) -> None:
    assert chat(server, messages=[TURN | {"role": "USER"}])["message"] == chat(server)["message"]
