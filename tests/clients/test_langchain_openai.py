"""LangChain's classes for OpenAI, with our address."""

from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, Field, SecretStr

KEY = SecretStr("none")


def chat_model(server: str, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(
        base_url=f"{server}/v1", api_key=KEY, model="any", max_retries=0, **{"max_completion_tokens": 12, **options}
    )


Digit = Annotated[int, Field(ge=0, le=9)]


@tool
def add(a: Digit, b: Digit) -> int:
    """Add two numbers."""
    return a + b


class Cat(BaseModel):
    """A cat."""

    age: int = Field(ge=0, le=20)
    is_hungry: bool


def test_invoke_gives_text_usage_and_the_reason(server: str) -> None:
    answer = chat_model(server).invoke("Tell me a story.")
    assert isinstance(answer, AIMessage)
    assert answer.content
    assert answer.usage_metadata
    assert answer.usage_metadata["output_tokens"] == 12
    assert answer.response_metadata["finish_reason"] == "length"
    assert answer.response_metadata["model_name"] == "bundled"


def test_stream_adds_up_to_the_same_text(server: str) -> None:
    model = chat_model(server, temperature=0)
    assert (
        "".join(str(chunk.content) for chunk in model.stream("Tell me a story."))
        == model.invoke("Tell me a story.").content
    )


def test_structured_output_is_an_object_of_the_class(server: str) -> None:
    cat = (
        chat_model(server, max_completion_tokens=60).with_structured_output(Cat, method="json_schema").invoke("A cat?")
    )
    assert isinstance(cat, Cat)


def test_structured_output_through_a_tool_is_one_too(server: str) -> None:
    model = chat_model(server, max_completion_tokens=300)
    assert isinstance(model.with_structured_output(Cat, method="function_calling").invoke("A cat?"), Cat)


def test_tool_loop_comes_back_to_the_model(server: str) -> None:
    model = chat_model(server, max_completion_tokens=300)
    caller = model.bind_tools([add], tool_choice="required", parallel_tool_calls=False)
    question = HumanMessage("What is 2 + 3?")
    called = caller.invoke([question])
    assert isinstance(called, AIMessage)
    (call,) = called.tool_calls
    assert call["name"] == "add"
    result = add.invoke(call)
    assert isinstance(result, ToolMessage)
    assert result.content == str(call["args"]["a"] + call["args"]["b"])
    assert chat_model(server).invoke([question, called, result]).content


@pytest.fixture(scope="module")
def embeddings(server: str) -> OpenAIEmbeddings:
    # Unless it is told not to, LangChain sends tokens of OpenAI's own vocabulary. mypy does not know its aliases.
    options: dict[str, Any] = {"base_url": f"{server}/v1", "api_key": KEY, "check_embedding_ctx_length": False}
    return OpenAIEmbeddings(model="any", **options)


def test_documents_and_queries_are_embedded_alike(embeddings: OpenAIEmbeddings) -> None:
    first, second = embeddings.embed_documents(["A cat.", "A red ball."])
    query = embeddings.embed_query("A cat.")
    assert len(first) == len(second) == 128
    assert sum(number * number for number in first) == pytest.approx(1, abs=1e-4)
    assert query == pytest.approx(first, abs=1e-3)
    assert second != pytest.approx(first, abs=1e-3)


def responses_model(server: str, **options: Any) -> ChatOpenAI:
    return chat_model(server, use_responses_api=True, **options)


def test_responses_are_messages_too(server: str) -> None:
    answer = responses_model(server, temperature=0).invoke("Tell me a story.")
    assert isinstance(answer, AIMessage)
    assert answer.text == chat_model(server, temperature=0).invoke("Tell me a story.").content
    assert answer.usage_metadata
    assert answer.usage_metadata["output_tokens"] == 12
    assert answer.response_metadata["id"].startswith("resp_")
    assert answer.response_metadata["status"] == "incomplete"


def test_stream_of_a_response_adds_up_to_the_same_text(server: str) -> None:
    model = responses_model(server, temperature=0)
    chunks = list(model.stream("Tell me a story."))
    assert "".join(chunk.text for chunk in chunks) == model.invoke("Tell me a story.").text
    assert chunks[-1].response_metadata["status"] == "incomplete"


def test_structured_output_of_a_response_is_an_object_of_the_class(server: str) -> None:
    for method in ("json_schema", "function_calling"):
        model = responses_model(server, max_completion_tokens=300)
        assert isinstance(model.with_structured_output(Cat, method=method).invoke("A cat?"), Cat)


def test_tool_loop_of_responses_comes_back_to_the_model(server: str) -> None:
    caller = responses_model(server, max_completion_tokens=300).bind_tools([add], tool_choice="required")
    question = HumanMessage("What is 2 + 3?")
    called = caller.invoke([question])
    assert isinstance(called, AIMessage)
    (call,) = called.tool_calls
    result = add.invoke(call)
    assert responses_model(server).invoke([question, called, result]).text


def test_conversation_goes_on_from_the_previous_response(server: str) -> None:
    model = responses_model(server, use_previous_response_id=True)
    question = HumanMessage("Tell me a story.")
    answer = model.invoke([question])
    assert model.invoke([question, answer, HumanMessage("Go on.")]).text
