"""Responses with OpenAI's client, as short as tests want to write them."""

from typing import Any

from openai.types.responses import Response

from tests.clients.openai_clients import MODEL, openai_client

TELL = "Tell me a story."


def ask(server: str, **options: Any) -> Response:
    """Returns a short answer that is the same each time, unless `options` say otherwise."""
    fields: dict[str, Any] = {"model": MODEL, "input": TELL, "max_output_tokens": 8, "temperature": 0} | options
    response: Response = openai_client(server).responses.create(**fields)
    return response


def ask_events(server: str, **options: Any) -> list[Any]:
    """Returns the events of such an answer."""
    fields: dict[str, Any] = {"model": MODEL, "input": TELL, "max_output_tokens": 8, "temperature": 0} | options
    return list(openai_client(server).responses.create(**fields, stream=True))


def kinds(events: list[Any]) -> list[str]:
    """Returns the types of events, of several equal ones in a row the first."""
    names = [event.type.removeprefix("response.") for event in events]
    return [name for index, name in enumerate(names) if index == 0 or names[index - 1] != name]


def count(server: str, **options: Any) -> int:
    fields: dict[str, Any] = {"input": TELL} | options
    return openai_client(server).responses.input_tokens.count(model=MODEL, **fields).input_tokens


def items(response: Response) -> list[dict[str, Any]]:
    """Returns the output without ids, which are new each time."""
    return [item.model_dump(exclude={"id", "call_id"}, exclude_none=True) for item in response.output]
