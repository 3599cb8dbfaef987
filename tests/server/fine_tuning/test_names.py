"""Names of adapters and suffixes."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from server.fine_tuning.names import adapter_name, check_suffix
from slots.errors import InvalidRequest

TIME = datetime(2026, 11, 29, 12, 30, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("model", "suffix", "name"),
    [
        ("llama-2-7b", "airline", "llama-2-7b.airline.261129-123059"),
        ("llama-2-7b", None, "llama-2-7b.261129-123059"),
        ("models/tiny llama.Q4_K.gguf", None, "tiny-llama.Q4_K.261129-123059"),
        ("user/repo:Q8_0", "x", "repo-Q8_0.x.261129-123059"),
        ("m" * 100, "s" * 28, f"{'m' * 19}.{'s' * 28}.261129-123059"),
        ("..", None, "model.261129-123059"),
    ],
)
def test_a_name_has_model_suffix_and_time(model: str, suffix: str | None, name: str) -> None:
    assert adapter_name(model, suffix, TIME, lambda _: False) == name


def test_the_time_is_utc_and_the_next_free_one() -> None:
    local = TIME.astimezone(timezone(timedelta(hours=5)))
    taken = {"m.261129-123059", "m.261129-123100"}
    assert adapter_name("m", None, local, taken.__contains__) == "m.261129-123101"


@pytest.mark.parametrize("suffix", ["", "a b", "a.b", "a_b", "é", "a" * 29, "a/../b", "a\n"])
def test_other_suffixes_are_refused(suffix: str) -> None:
    with pytest.raises(InvalidRequest, match="suffix: expected 1 to 28 letters, digits and hyphens"):
        check_suffix(suffix)
