from pathlib import Path

import pytest

from server.app import ENDPOINTS
from server.options.generation_options import CONSTRAINTS
from slots.requests.sampling_params import SamplingParams

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("path", [endpoint.path for endpoint in ENDPOINTS])
def test_the_readme_has_every_endpoint(path: str) -> None:
    assert f"{path}`" in README


@pytest.mark.parametrize("option", list(SamplingParams.model_fields))
def test_the_page_on_samplers_has_every_sampling_option(option: str) -> None:
    assert f"`{option}`" in (DOCS / "samplers.md").read_text()


@pytest.mark.parametrize("option", CONSTRAINTS)
def test_the_page_on_constrained_output_has_every_way(option: str) -> None:
    assert f"`{option}`" in (DOCS / "constrained_output.md").read_text()
