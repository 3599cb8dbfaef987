"""Whatever a body says, it gets an answer or a refusal, and the server goes on."""

import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.asking import SECONDS, get

TEXT = st.text(max_size=12)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-3, 600)
LEAVES = st.none() | st.booleans() | NUMBERS | TEXT
ANYTHING = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=3))

PROMPTS = TEXT | st.lists(st.integers(-1, 600) | TEXT | st.lists(st.integers(0, 600) | TEXT, max_size=4), max_size=4)
BIASES = st.lists(st.tuples(st.integers(-1, 600) | TEXT, NUMBERS | st.booleans()), max_size=4) | st.dictionaries(
    st.integers(-1, 600).map(str) | TEXT, NUMBERS | st.booleans(), max_size=4
)
OPTIONS = (
    *("temperature", "top_k", "top_p", "min_p", "repeat_penalty", "repeat_last_n", "penalize_nl", "presence_penalty"),
    *("frequency_penalty", "seed", "ignore_eos", "n_probs", "slot_id", "id_slot", "cache_prompt", "n_keep", "n"),
    *("stream", "stop", "return_tokens", "grammar", "typical_p", "samplers", "mirostat", "system_prompt"),
)
BODIES = st.builds(
    lambda prompt, n_predict, options, logit_bias: (
        options | {"prompt": prompt, "n_predict": n_predict, "logit_bias": logit_bias}
    ),
    PROMPTS | ANYTHING,
    st.integers(-3, 3).filter(lambda n: n != -1) | TEXT,
    st.dictionaries(st.sampled_from(OPTIONS), NUMBERS | st.booleans() | TEXT | ANYTHING, max_size=5),
    st.none() | BIASES,
)


def assert_answered(server: str, response: requests.Response) -> None:
    assert response.status_code < 500 or response.status_code in (501, 503), response.text
    assert get(f"{server}/health").ok


@given(body=BODIES)
@settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.too_slow])
def test_any_fields(server: str, body: dict[str, object]) -> None:
    assert_answered(server, requests.post(f"{server}/completion", json=body, timeout=SECONDS))


@given(body=st.binary(max_size=64) | ANYTHING.map(repr).map(str.encode))
@settings(deadline=None, max_examples=100)
def test_any_bytes(server: str, body: bytes) -> None:
    assert_answered(server, requests.post(f"{server}/completion", data=body, timeout=SECONDS))
