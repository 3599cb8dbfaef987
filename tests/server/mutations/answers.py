"""What an answer has to be, whatever the request was."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema

from tests.server.mutations.operations import Operation

NAMES_FIELD = re.compile(r".{1,200}?: ", re.DOTALL)
MAX_WORD = 12
"""Characters of a part of a path that is no id."""
SERVER_ERRORS = ("server_error", "api_error")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    media_type: str
    body: bytes


def problem_of(operation: Operation, answer: Answer, target: str = "") -> str | None:
    """Returns what is wrong with an answer to any request, or None. An error may name what `target`, the path of the
    request, names instead of a field."""
    status = answer.status
    if status >= 500 and status != 501:
        return f"status {status}"
    if status >= 400:
        return _problem_of_error(operation, answer, target)
    if not 200 <= status < 300:
        return f"status {status}"
    if answer.media_type.startswith(("text/event-stream", "application/x-ndjson")):
        return _problem_of_stream(answer.body)
    return _problem_of_json(answer.body) if answer.media_type.startswith("application/json") else None


def _problem_of_error(operation: Operation, answer: Answer, target: str) -> str | None:
    try:
        error = json.loads(answer.body)
    except ValueError:
        return "an error that is no JSON"
    if not any(jsonschema.Draft202012Validator(schema).is_valid(error) for schema in operation.error_schemas):
        return "an error in another shape than its dialect's"
    message = message_of(error)
    named = [part for part in target.split("/") if len(part) > MAX_WORD]
    if answer.status == 400 and not NAMES_FIELD.match(message) and not any(part in message for part in named):
        return "an error that names no field"
    return None if message.strip() else "an error without words"


def message_of(error: Any) -> str:
    """Returns the text of an error in any dialect."""
    found = error.get("error", error.get("detail"))
    return str(found["message"] if isinstance(found, dict) else found)


def _problem_of_json(body: bytes) -> str | None:
    try:
        json.loads(body.decode(), parse_constant=_refuse_constant)
    except ValueError as error:
        return f"a body that is no JSON: {error}"
    return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _problem_of_stream(body: bytes) -> str | None:
    for line in _data_lines(body):
        try:
            event = json.loads(line.decode(), parse_constant=_refuse_constant)
        except ValueError as error:
            return f"an event that is no JSON: {error}: {line[:200]!r}"
        if _tells_defect(event):
            return f"an event that tells of a defect: {line[:500]!r}"
    return None


def _data_lines(body: bytes) -> Iterator[bytes]:
    """Yields the data of events, or the lines, of a stream."""
    for line in body.split(b"\n"):
        data = line.removeprefix(b"data: ")
        if data.strip() and not line.startswith((b":", b"event: ")) and data != b"[DONE]":
            yield data


def _tells_defect(event: Any) -> bool:
    error = event.get("error") if isinstance(event, dict) else None
    if isinstance(event, dict) and event.get("type") == "response.failed":
        return True
    if not isinstance(error, dict):
        return isinstance(error, str) and "went wrong" in error
    return error.get("type") in SERVER_ERRORS or any(
        isinstance(code := error.get(name), int) and code >= 500 and code != 501 for name in ("code", "status_code")
    )
