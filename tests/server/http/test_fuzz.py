"""Any body gets a result or an error, and the server continues."""

import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slots.requests.params import Range
from slots.requests.sampling_params import SamplerName, SamplingParams
from tests.server.http_client import SECONDS, Json, complete, get
from tests.slots.requests.ranges import RANGES

TEXT = st.text(max_size=12)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-3, 600)
LEAVES = st.none() | st.booleans() | NUMBERS | TEXT
ANYTHING = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=3))

PROMPTS = TEXT | st.lists(st.integers(-1, 600) | TEXT | st.lists(st.integers(0, 600) | TEXT, max_size=4), max_size=4)
BIASES = st.lists(st.tuples(st.integers(-1, 600) | TEXT, NUMBERS | st.booleans()), max_size=4) | st.dictionaries(
    st.integers(-1, 600).map(str) | TEXT, NUMBERS | st.booleans(), max_size=4
)
OPTIONS = (
    *SamplingParams.model_fields,
    *("slot_id", "id_slot", "cache_prompt", "n_keep", "n", "stream", "stop", "return_tokens", "n_indent"),
    *("t_max_predict_ms", "timings_per_token", "response_fields", "grammar", "n_cache_reuse", "cache_salt"),
    *("json_schema", "regex", "choice", "response_format", "guided_json"),
)
STRINGS = st.lists(TEXT | st.sampled_from(["top_k", "content", "generation_settings/seed"]), max_size=4)
BODIES = st.builds(
    lambda prompt, n_predict, options, logit_bias: (
        options | {"prompt": prompt, "n_predict": n_predict, "logit_bias": logit_bias}
    ),
    PROMPTS | ANYTHING,
    st.integers(-3, 3).filter(lambda n: n != -1) | TEXT,
    st.dictionaries(st.sampled_from(OPTIONS), NUMBERS | st.booleans() | TEXT | STRINGS | ANYTHING, max_size=5),
    st.none() | BIASES,
)


def values_of(name: str) -> st.SearchStrategy[object]:
    """Values that the option takes, most of them near those at which it does something."""
    allowed = RANGES.get(name, Range())
    match SamplingParams.model_fields[name].default:
        case bool():
            return st.booleans()
        case int():
            return st.integers(int(max(allowed.minimum, -3)), int(min(allowed.maximum, 300)))
        case float():
            return st.floats(max(allowed.minimum, -3), min(allowed.maximum, 10), exclude_min=allowed.excludes_minimum)
    return VALUES_OF_LISTS[name]


VALUES_OF_LISTS: dict[str, st.SearchStrategy[object]] = {
    "samplers": st.lists(st.sampled_from(SamplerName), max_size=12),
    "dry_sequence_breakers": st.lists(st.text(min_size=1, max_size=3), max_size=3),
    "logit_bias": st.lists(st.tuples(st.integers(0, 500), st.floats(-100, 100) | st.just(False)), max_size=3),
}
SAMPLING = st.fixed_dictionaries({}, optional={name: values_of(name) for name in SamplingParams.model_fields})


def assert_answered(server: str, response: requests.Response) -> None:
    assert response.status_code < 500 or response.status_code in (501, 503), response.text
    assert get(f"{server}/health").ok


@given(body=BODIES)
@settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.too_slow])
def test_any_fields(server: str, body: dict[str, object]) -> None:
    assert_answered(server, requests.post(f"{server}/completion", json=body, timeout=SECONDS))


@given(options=SAMPLING)
@settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.too_slow])
def test_any_sampling_within_its_ranges_gives_a_text(server: str, options: Json) -> None:
    result = complete(server, n_predict=4, **options)
    assert result["tokens_predicted"] > 0
    assert len(result.get("completion_probabilities", [])) in (0, result["tokens_predicted"])


@given(body=st.binary(max_size=64) | ANYTHING.map(repr).map(str.encode))
@settings(deadline=None, max_examples=100)
def test_any_bytes(server: str, body: bytes) -> None:
    assert_answered(server, requests.post(f"{server}/completion", data=body, timeout=SECONDS))
