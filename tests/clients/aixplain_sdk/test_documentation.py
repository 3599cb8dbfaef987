"""The programs of docs/aixplain.md, run as they are but for the address of the server and its key."""

import re
from pathlib import Path

import pytest

from tests.clients.aixplain_sdk.sdk import KEY, Sdk, chat, user

PAGE = (Path(__file__).parents[3] / "docs/aixplain.md").read_text()
PROGRAM, PROGRAM_V2 = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
QUESTION = user("What is the capital of France?")


def test_program_prints_three_answers(sdk: Sdk) -> None:
    first, *others = sdk.client.run(PROGRAM).splitlines()
    assert re.fullmatch("(ResponseStatus\\.)?SUCCESS .+", first)
    text, _ = chat(sdk.url, QUESTION, max_tokens=16)
    assert others == [text, text]


@pytest.mark.parametrize("sdk", ["0.2.48"], indirect=True)
def test_program_for_version_2_prints_two_answers(sdk: Sdk) -> None:
    program = PROGRAM_V2.replace("http://127.0.0.1:8080", sdk.url).replace('"none"', f'"{KEY}"')
    text, _ = chat(sdk.url, QUESTION, max_tokens=16)
    assert sdk.client.run(program).splitlines() == [text, text]
