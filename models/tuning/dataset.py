"""Dataset: prompts with responses, from a CSV file or one with a JSON object a line."""

import csv
import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, TypeVar

from models.tuning.errors import DatasetError

MAX_ROWS = 100_000
MAX_CELL_CHARACTERS = 16 * 1024 * 1024
VALIDATION_SHARE = 10
"""One in so many rows is for validation if there is no file for it."""

COLUMNS = {"prompt": ("prompt", "input"), "response": ("response", "completion", "output")}
"""The names by which a file may call its columns."""
MESSAGES = "messages"

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Example:
    prompt: str
    response: str
    messages: tuple[Mapping[str, Any], ...] = ()
    """The chat that the response answers, in place of the prompt."""


def read_examples(path: Path) -> list[Example]:
    """Reads a file: CSV with the columns prompt and response, or, if it starts with a brace, JSON objects with these
    members, or with the messages of a chat, whose last one is the response.

    Raises DatasetError, which names the row and the column. The header of a CSV file is row 1.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            is_json = _first_character(file) == "{"
            examples = list(_limited(_read_json_lines(file) if is_json else _read_csv(file)))
    except UnicodeDecodeError as error:
        raise DatasetError(f"expected text in UTF-8, got the byte {error.object[error.start]:#04x}") from None
    except OSError as error:
        raise DatasetError(f"the file cannot be read: {error.strerror}") from None
    if not examples:
        raise DatasetError("row 2: expected a prompt with its response, got the end of the file")
    return examples


def check_beginning(data: bytes) -> None:
    """Checks the first line of a file of which only the beginning is known. Raises DatasetError."""
    line, found, _ = data.partition(b"\n")
    text = line.decode("utf-8-sig", "replace").strip()
    if text.startswith("{"):
        return
    if not found and len(data) >= csv.field_size_limit():
        raise DatasetError("row 1: expected the names of the columns, got a line that is too long")
    _find_columns(next(csv.reader([text]), []))


def split_validation(items: Sequence[Item], seed: int) -> tuple[list[Item], list[Item]]:
    """Returns the items for training and a random tenth for validation, at least one. Of a single item both have it."""
    if len(items) == 1:
        return list(items), list(items)
    shuffled = random.Random(seed).sample(range(len(items)), len(items))
    held_out = set(shuffled[: max(1, len(items) // VALIDATION_SHARE)])
    training = [item for index, item in enumerate(items) if index not in held_out]
    return training, [item for index, item in enumerate(items) if index in held_out]


def _first_character(file: TextIO) -> str:
    start = file.read(1024).lstrip()
    file.seek(0)
    return start[:1]


def _limited(examples: Iterable[Example]) -> Iterator[Example]:
    for number, example in enumerate(examples, start=1):
        if number > MAX_ROWS:
            raise DatasetError(f"expected at most {MAX_ROWS:,} rows, got more")
        yield example


def _read_csv(file: TextIO) -> Iterator[Example]:
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    reader = csv.reader(file, strict=True)
    number = 1  # of the row that is being read
    try:
        header = next(reader, [])
        columns = _find_columns(header)
        number = 2
        for cells in reader:
            if cells:
                _check_width(number, cells, len(header))
                texts = {name: _cell(number, name, cells, index) for name, index in columns.items()}
                yield Example(texts["prompt"], texts["response"])
            number += 1
    except csv.Error as error:
        raise DatasetError(f"row {number}: expected CSV, but {error} (line {reader.line_num})") from None


def _find_columns(header: Sequence[str]) -> dict[str, int]:
    """Returns the index of each column."""
    names = [name.strip().lower() for name in header]
    columns = {}
    for name, spellings in COLUMNS.items():
        found = next((names.index(spelling) for spelling in spellings if spelling in names), None)
        if found is None:
            known = ", ".join(filter(None, header))[:200] or "nothing"
            raise DatasetError(f"row 1: expected the columns prompt and response, {name} is missing, got {known}")
        columns[name] = found
    return columns


def _check_width(number: int, cells: Sequence[str], n_columns: int) -> None:
    """Raises DatasetError for cells beyond the header's: most likely a text has a comma, and would lose its end."""
    if any(cell.strip() for cell in cells[n_columns:]):
        words = f"expected {n_columns} cells as in row 1, got {len(cells)}; a text with commas has to be in quotes"
        raise DatasetError(f"row {number}: {words}")


def _cell(number: int, name: str, cells: Sequence[str], index: int) -> str:
    text = cells[index] if index < len(cells) else ""
    if not text.strip():
        raise DatasetError(f"row {number}, column {name}: expected a text, got nothing")
    return text


def _read_json_lines(file: TextIO) -> Iterator[Example]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DatasetError(f"row {number}: expected a JSON object, got invalid JSON: {error}") from None
        if not isinstance(row, dict):
            raise DatasetError(f"row {number}: expected a JSON object, got {type(row).__name__}")
        yield _chat_example(number, row[MESSAGES]) if MESSAGES in row else _plain_example(number, row)


def _plain_example(number: int, row: Mapping[str, Any]) -> Example:
    texts = {}
    for name, spellings in COLUMNS.items():
        value = next((row[spelling] for spelling in spellings if row.get(spelling) is not None), None)
        if not isinstance(value, str) or not value.strip():
            got = "nothing" if value is None or value == "" else json.dumps(value)[:60]
            raise DatasetError(f"row {number}, member {name}: expected a text, got {got}")
        texts[name] = value
    return Example(texts["prompt"], texts["response"])


def _chat_example(number: int, messages: object) -> Example:
    where = f"row {number}, member {MESSAGES}"
    if not isinstance(messages, list) or len(messages) < 2:
        raise DatasetError(f"{where}: expected a list of at least two messages")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise DatasetError(f"{where}[{index}]: expected an object with role and content")
        if not isinstance(message.get("content"), str) or not message["content"].strip():
            raise DatasetError(f"{where}[{index}].content: expected a text")
    *chat, answer = messages
    if answer["role"] != "assistant":
        raise DatasetError(f"{where}[{len(chat)}].role: expected assistant in the last message, got {answer['role']}")
    plain = tuple({"role": message["role"], "content": message["content"]} for message in chat)
    return Example("", answer["content"], plain)
