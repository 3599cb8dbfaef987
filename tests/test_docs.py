"""docs/samplers.md against what it describes."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from server.cli.flags import GROUPS
from server.options.generation_options import GenerationOptions
from server.options.sampler_order import LETTERS, as_samplers
from slots.requests.sampling_params import DEFAULT_SAMPLERS, SamplerName, SamplingParams
from slots.sampling import Sampler, SamplerContext
from slots.sampling.logits.workspace import Workspace
from tests.slots.requests.ranges import RANGES

FOLDER = Path(__file__).parents[1] / "docs"
PAGE = (FOLDER / "samplers.md").read_text()
NAMES = list(SamplingParams.model_fields)
MOST_BYTES_OF_A_PLOT = 40_000


def rows_of(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]


def spelled_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


OPTIONS = {spelled_in(row[0])[0]: row[1:] for row in rows_of("All options")}
CHAIN = [(spelled_in(row[1])[0], spelled_in(row[2])[0]) for row in rows_of("The chain")]
BODIES = [json.loads(body) for body in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]


class AnyVocab:
    """A vocabulary in which every text is one token."""

    n_tokens = 1000

    def tokenize(self, _text: str, **_options: bool) -> list[int]:
        return [7]


@pytest.mark.parametrize("name", NAMES)
def test_each_option_has_its_default(name: str) -> None:
    expected = getattr(SamplingParams(), name)
    default = json.loads(spelled_in(OPTIONS[name][2])[0])
    if name == "samplers":
        default = as_samplers(name, default)
    assert (tuple(default) if isinstance(default, list) else default) == expected


@pytest.mark.parametrize("name", RANGES)
def test_each_option_has_its_range(name: str) -> None:
    assert OPTIONS[name][1] == str(RANGES[name])


@pytest.mark.parametrize("name", NAMES)
def test_each_option_has_its_flags(name: str) -> None:
    flags = [flag for group in GROUPS for flag in group.flags if flag.destination == name]
    assert spelled_in(OPTIONS[name][0]) == [spelling for flag in flags for spelling in flag.names]


def test_there_are_no_other_options() -> None:
    assert set(OPTIONS) == set(NAMES)


def test_samplers_have_their_letters_in_their_order() -> None:
    assert dict(CHAIN) == LETTERS
    assert tuple(name for _, name in CHAIN[: len(DEFAULT_SAMPLERS)]) == DEFAULT_SAMPLERS


@pytest.mark.parametrize("name", SamplerName)
def test_each_sampler_has_a_section(name: SamplerName) -> None:
    assert f"\n## {name}\n" in PAGE


def test_options_that_are_off_change_nothing() -> None:
    off = {name: json.loads(spelled_in(row[3])[0]) for name, row in OPTIONS.items() if row[3]}
    reported = {"n_probs": 100, "post_sampling_probs": True}
    del off["samplers"], off["dry_sequence_breakers"], off["logit_bias"]
    turned_off, none_used = SamplingParams(**off | reported), SamplingParams(samplers=(), **reported)
    row = np.random.default_rng(0).normal(0, 5, 100).astype(np.float32)
    left = [
        Sampler(params, [1, 2, 3, 1, 2, 3], SamplerContext(100, 100)).sample(row.copy(), Workspace(100)).logprobs
        for params in (turned_off, none_used)
    ]
    assert left[0] is not None and left[1] is not None
    assert left[0].top == left[1].top


@pytest.mark.parametrize("body", BODIES, ids=json.dumps)
def test_requests_are_understood(body: dict[str, object]) -> None:
    assert set(body) <= {*NAMES, "prompt", "n_predict"}
    GenerationOptions.parse(body, SimpleNamespace(vocab=AnyVocab()))


@pytest.mark.parametrize("image", re.findall(r"!\[[^]]+\]\(([^)]+)\)", PAGE))
def test_images_are_there_and_small(image: str) -> None:
    assert 0 < (FOLDER / image).stat().st_size <= MOST_BYTES_OF_A_PLOT


def test_all_plots_are_shown() -> None:
    assert {path.name for path in (FOLDER / "samplers").iterdir()} == set(re.findall(r"\(samplers/([^)]+)\)", PAGE))


@pytest.mark.parametrize("anchor", sorted(set(re.findall(r"\]\(#([^)]+)\)", PAGE))))
def test_links_within_the_page_lead_somewhere(anchor: str) -> None:
    headings = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}
