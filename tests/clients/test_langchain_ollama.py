"""LangChain's integration of Ollama."""

import asyncio
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.tools import tool
from langchain_ollama import ChatOllama, OllamaEmbeddings, OllamaLLM
from pydantic import BaseModel

ASK = "What is the capital of France?"


def chat_model(server: str, **options: Any) -> ChatOllama:
    return ChatOllama(
        **{"model": "bundled", "base_url": server, "temperature": 0, "num_predict": 16, "validate_model_on_init": True}
        | options
    )


def test_messages_are_answered(server: str) -> None:
    answer = chat_model(server).invoke([SystemMessage("You are helpful."), HumanMessage(ASK)])
    assert isinstance(answer, AIMessage)
    assert answer.content
    assert answer.usage_metadata and answer.usage_metadata["output_tokens"] == answer.response_metadata["eval_count"]
    assert answer.response_metadata["done_reason"] == "stop"


def test_answer_is_streamed(server: str) -> None:
    chunks = list(chat_model(server).stream(ASK))
    assert len(chunks) > 3
    assert "".join(str(chunk.content) for chunk in chunks) == chat_model(server).invoke(ASK).content


def test_several_are_asked_at_once(server: str) -> None:
    answers = asyncio.run(chat_model(server).abatch([ASK] * 3))
    assert {answer.content for answer in answers} == {chat_model(server).invoke(ASK).content}


class Person(BaseModel):
    name: str
    age: int


def test_answer_has_a_structure(server: str) -> None:
    model = chat_model(server, num_predict=200).with_structured_output(Person, method="json_schema")
    assert isinstance(model.invoke("Who are you?"), Person)


@tool
def get_time(city: str) -> str:
    """The time in a city."""
    return f"noon in {city}"


def test_tools_are_offered(server: str) -> None:
    offered = chat_model(server).bind_tools([get_time]).invoke(ASK)
    plain = chat_model(server).invoke(ASK)
    assert offered.usage_metadata and plain.usage_metadata
    assert offered.usage_metadata["input_tokens"] > plain.usage_metadata["input_tokens"]


def test_text_is_continued(server: str) -> None:
    llm = OllamaLLM(model="bundled", base_url=server, temperature=0, num_predict=16)
    assert llm.invoke(ASK) == "".join(llm.stream(ASK)) == chat_model(server).invoke(ASK).content


def test_texts_are_embedded(server: str) -> None:
    embeddings = OllamaEmbeddings(model="bundled", base_url=server)
    assert [len(vector) for vector in embeddings.embed_documents(["A cat.", "A dog."])] == [128, 128]
    assert len(embeddings.embed_query("A cat.")) == 128


def test_another_model_is_not_found(server: str) -> None:
    with pytest.raises(ValueError, match="not found in Ollama"):
        chat_model(server, model="llama3.2")
