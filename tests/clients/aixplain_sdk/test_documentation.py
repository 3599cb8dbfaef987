"""The programs of docs/aixplain.md, run as they are but for the address of the server and its key."""

import re
from pathlib import Path

import pytest

from tests.clients.aixplain_sdk.sdk import KEY, Sdk

PAGE = (Path(__file__).parents[3] / "docs/aixplain.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(PROGRAM, PRINTED), (PROGRAM_V2, PRINTED_V2) = BLOCKS


def test_program_prints_what_is_documented(sdk: Sdk) -> None:
    assert sdk.client.run(PROGRAM) + "\n" == PRINTED


@pytest.mark.parametrize("sdk", ["0.2.48"], indirect=True)
def test_program_for_version_2_prints_what_is_documented(sdk: Sdk) -> None:
    program = PROGRAM_V2.replace("http://127.0.0.1:8080", sdk.url).replace('"none"', f'"{KEY}"')
    assert sdk.client.run(program) + "\n" == PRINTED_V2
