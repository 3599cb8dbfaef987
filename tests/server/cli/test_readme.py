from pathlib import Path

import pytest

from server.app import ENDPOINTS
from server.cli.flags import GROUPS
from server.generation.options import CONSTRAINTS
from slots.requests.sampling_params import SamplingParams

README = (Path(__file__).parents[3] / "README.md").read_text()


@pytest.mark.parametrize("spelling", [flag.spelling.replace("|", "\\|") for group in GROUPS for flag in group.flags])
def test_the_readme_has_every_flag(spelling: str) -> None:
    assert f"`{spelling}`" in README


@pytest.mark.parametrize("path", [endpoint.path for endpoint in ENDPOINTS])
def test_the_readme_has_every_endpoint(path: str) -> None:
    assert f"{path}`" in README


@pytest.mark.parametrize("option", list(SamplingParams.model_fields))
def test_the_readme_has_every_sampling_option(option: str) -> None:
    assert f"`{option}`" in README


@pytest.mark.parametrize("option", CONSTRAINTS)
def test_the_readme_has_every_way_to_constrain_output(option: str) -> None:
    assert f"`{option}`" in README
