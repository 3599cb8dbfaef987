from dataclasses import fields
from pathlib import Path

import pytest

from server.app import ROUTES
from server.generation.constraint import READERS
from slots.requests.sampling_params import SamplingParams

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("path", [route.path for route in ROUTES])
def test_the_readme_has_every_endpoint(path: str) -> None:
    assert f"{path}`" in README


@pytest.mark.parametrize("option", [option.name for option in fields(SamplingParams)])
def test_the_page_on_samplers_has_every_sampling_option(option: str) -> None:
    assert f"`{option}`" in (DOCS / "samplers.md").read_text()


@pytest.mark.parametrize("option", READERS)
def test_the_page_on_constrained_output_has_every_way(option: str) -> None:
    assert f"`{option}`" in (DOCS / "constrained_output.md").read_text()
