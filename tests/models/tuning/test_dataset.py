"""read_examples: what a data set may look like, and how an error names its row and column."""

import json
from pathlib import Path

import pytest

from models.tuning import dataset
from models.tuning.dataset import Example, check_beginning, read_examples, split_validation
from models.tuning.errors import DatasetError


def read(tmp_path: Path, text: str | bytes) -> list[Example]:
    path = tmp_path / "data"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_examples(path)


def error_of(tmp_path: Path, text: str | bytes) -> str:
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, text)
    return str(caught.value)


def test_a_row_of_csv_is_a_prompt_with_its_response(tmp_path: Path) -> None:
    assert read(tmp_path, 'prompt,response\nHi,Hello\n"a, b","c ""d""\ne"\n') == [
        Example("Hi", "Hello"),
        Example("a, b", 'c "d"\ne'),
    ]


@pytest.mark.parametrize("header", ["response,id,prompt", " Response ,x,PROMPT", "output,x,input"])
def test_columns_are_found_by_their_names(header: str, tmp_path: Path) -> None:
    assert read(tmp_path, f"{header}\r\nHello,1,Hi\r\n") == [Example("Hi", "Hello")]


def test_empty_cells_beyond_the_header_are_no_data(tmp_path: Path) -> None:
    assert read(tmp_path, "prompt,response\nHi,Hello,, \n") == [Example("Hi", "Hello")]


def test_a_byte_order_mark_and_empty_lines_are_no_data(tmp_path: Path) -> None:
    assert read(tmp_path, "\ufeffprompt,response\nHi,Hello\n\n") == [Example("Hi", "Hello")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "row 1: expected the columns prompt and response, prompt is missing, got nothing"),
        ("question,response\n", "row 1: expected the columns prompt and response, prompt is missing, got question"),
        ("prompt,answer\na,b\n", "row 1: expected the columns prompt and response, response is missing"),
        ("prompt,response\n", "row 2: expected a prompt with its response, got the end of the file"),
        ("prompt,response\na,b\nc,\n", "row 3, column response: expected a text, got nothing"),
        ("prompt,response\na,b\n ,d\n", "row 3, column prompt: expected a text, got nothing"),
        ("prompt,response\na\n", "row 2, column response: expected a text, got nothing"),
        ("prompt,response\na,b\nc,d, e\n", "row 3: expected 2 cells as in row 1, got 3; a text with commas has to be"),
        ('prompt,response\na,b\nc,"d\n', "row 3: expected CSV, but unexpected end of data"),
    ],
)
def test_an_error_in_csv_names_row_and_column(text: str, message: str, tmp_path: Path) -> None:
    assert error_of(tmp_path, text).startswith(message)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    assert error_of(tmp_path, b"prompt,response\n\xff,b\n") == "expected text in UTF-8, got the byte 0xff"


def test_more_rows_than_the_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "MAX_ROWS", 2)
    assert len(read(tmp_path, "prompt,response\na,b\nc,d\n")) == 2
    assert error_of(tmp_path, "prompt,response\na,b\nc,d\ne,f\n") == "expected at most 2 rows, got more"


def test_json_lines_may_have_prompts_or_chats(tmp_path: Path) -> None:
    chat = [{"role": "user", "content": "Hi", "name": "Ann"}, {"role": "assistant", "content": "Hello"}]
    lines = [{"prompt": "a", "response": "b"}, {"prompt": "a", "completion": "b"}, {"messages": chat}]
    assert read(tmp_path, "\n".join(map(json.dumps, lines))) == [
        Example("a", "b"),
        Example("a", "b"),
        Example("", "Hello", ({"role": "user", "content": "Hi"},)),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "row 2: expected a JSON object, got invalid JSON"),
        ("[]", "row 2: expected a JSON object, got list"),
        ('{"prompt": "a"}', "row 2, member response: expected a text, got nothing"),
        ('{"prompt": 3, "response": "b"}', "row 2, member prompt: expected a text, got 3"),
        ('{"messages": []}', "row 2, member messages: expected a list of at least two messages"),
        (
            '{"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]}',
            "row 2, member messages[1].role: expected assistant in the last message, got user",
        ),
        (
            '{"messages": [{"role": "user"}, {"role": "assistant", "content": "b"}]}',
            "row 2, member messages[0].content: expected a text",
        ),
    ],
)
def test_an_error_in_json_lines_names_row_and_member(line: str, message: str, tmp_path: Path) -> None:
    assert error_of(tmp_path, f'{{"prompt": "a", "response": "b"}}\n{line}\n').startswith(message)


def test_the_first_line_tells_whether_a_file_is_a_data_set() -> None:
    check_beginning(b"prompt,response\nHi,Hel")
    check_beginning(b'{"prompt": "a", "resp')
    with pytest.raises(DatasetError, match="row 1: expected the columns prompt and response"):
        check_beginning(b"<!DOCTYPE html>\n<html>")


@pytest.mark.parametrize(("n_rows", "n_validation"), [(1, 1), (2, 1), (10, 1), (19, 1), (20, 2), (200, 20)])
def test_a_tenth_is_for_validation(n_rows: int, n_validation: int) -> None:
    rows = list(range(n_rows))
    training, validation = split_validation(rows, seed=3)
    assert len(validation) == n_validation
    assert set(training) | set(validation) == set(rows)
    assert n_rows == 1 or not set(training) & set(validation)


def test_the_validation_rows_are_drawn_by_the_seed() -> None:
    rows = list(range(100))
    assert split_validation(rows, seed=1) == split_validation(rows, seed=1)
    assert split_validation(rows, seed=1) != split_validation(rows, seed=2)
