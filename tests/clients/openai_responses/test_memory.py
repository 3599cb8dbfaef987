"""What the server remembers of responses, with OpenAI's client."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.clients.openai_clients import MODEL, openai_client
from tests.clients.openai_responses.asking import TELL, ask, ask_events, count, items
from tests.conftest import running_server

MORE = "Tell me more."
CAT = "You are a cat."


def user(text: str) -> Any:
    return {"role": "user", "content": text}


def test_a_conversation_goes_on_from_a_response(server: str) -> None:
    first = ask(server, instructions=CAT)
    second = ask(server, input=MORE, previous_response_id=first.id)
    third = ask(server, input=TELL, previous_response_id=second.id, instructions=CAT)
    whole = [user(TELL), *first.output, user(MORE), *second.output, user(TELL)]
    assert items(third) == items(ask(server, input=whole, instructions=CAT))
    assert third.previous_response_id == second.id


def test_instructions_are_not_carried_over(server: str) -> None:
    first = ask(server, instructions=CAT)
    without = count(server, input=[user(TELL), *first.output, user(MORE)])
    assert count(server, input=MORE, previous_response_id=first.id) == without


def test_a_turn_computes_only_what_is_new(server: str) -> None:
    first = ask(server, input="Which animal has stripes and a mane?")
    assert first.usage
    usage = ask(server, input=MORE, previous_response_id=first.id).usage
    assert usage
    assert usage.input_tokens_details.cached_tokens >= first.usage.total_tokens - 1


def test_a_streamed_response_is_remembered(server: str) -> None:
    last = ask_events(server)[-1].response
    client = openai_client(server)
    retrieved = client.responses.retrieve(last.id)
    assert retrieved.to_dict() == last.to_dict()
    assert ask(server, input=MORE, previous_response_id=last.id).output_text


def test_a_response_is_retrieved_as_it_was(server: str) -> None:
    response = ask(server, metadata={"a": "b"})
    retrieved = openai_client(server).responses.retrieve(response.id)
    assert {**retrieved.to_dict(), "timings": None} == {**response.to_dict(), "timings": None}


def test_a_response_is_forgotten_when_it_is_deleted(server: str) -> None:
    client = openai_client(server)
    response = ask(server)
    client.responses.delete(response.id)
    for call in (client.responses.retrieve, client.responses.delete, client.responses.input_items.list):
        with pytest.raises(openai.NotFoundError, match=f"no response is stored with the id {response.id}"):
            call(response.id)


def test_what_is_not_to_be_stored_is_not(server: str) -> None:
    response = ask(server, store=False)
    with pytest.raises(openai.NotFoundError):
        openai_client(server).responses.retrieve(response.id)
    with pytest.raises(openai.BadRequestError) as caught:
        ask(server, previous_response_id=response.id)
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")


def test_items_of_the_input_are_listed_in_pages(server: str) -> None:
    first = ask(server)
    second = ask(server, input=[user(MORE), {"role": "assistant", "content": "Why"}], previous_response_id=first.id)
    listed = openai_client(server).responses.input_items
    everything: list[Any] = list(listed.list(second.id, order="asc"))
    assert [item.content[0].text for item in everything] == [TELL, first.output_text, MORE, "Why"]
    assert everything[1].id == first.output[0].id
    assert list(listed.list(second.id, limit=2)) == everything[::-1]
    page = listed.list(second.id, limit=2)
    assert (page.data, page.has_more) == (everything[:1:-1], True)
    assert listed.list(second.id, order="asc", after=everything[2].id).data == everything[3:]


def test_an_item_can_be_referred_to(server: str) -> None:
    first = ask(server)
    reference: Any = {"type": "item_reference", "id": first.output[0].id}
    referring = ask(server, input=[user(TELL), reference, user(MORE)], store=False)
    assert items(referring) == items(ask(server, input=[user(TELL), *first.output, user(MORE)]))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of two users."""
    with running_server(tmp_path_factory.mktemp("shared"), "--api-key", "mine,yours") as url:
        yield url


def test_a_response_belongs_to_the_key_of_its_request(shared: str) -> None:
    mine, yours = (openai_client(shared, key=key).responses for key in ("mine", "yours"))
    response = mine.create(model=MODEL, input=TELL, max_output_tokens=2)
    assert mine.retrieve(response.id).id == response.id
    for call in (yours.retrieve, yours.delete, yours.input_items.list):
        with pytest.raises(openai.NotFoundError):
            call(response.id)
    with pytest.raises(openai.BadRequestError):
        yours.create(model=MODEL, input=MORE, previous_response_id=response.id)
