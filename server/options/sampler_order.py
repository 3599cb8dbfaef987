"""The option `samplers`: which samplers are applied, in which order."""

from collections.abc import Iterable

from server.http.fields import invalid_value, preview
from slots.errors import InvalidRequest
from slots.requests.sampling_params import SamplerName

SHAPES = "a list of names or a string of letters"
LETTERS = {
    "e": SamplerName.PENALTIES,
    "d": SamplerName.DRY,
    "s": SamplerName.TOP_N_SIGMA,
    "k": SamplerName.TOP_K,
    "f": SamplerName.TFS_Z,
    "y": SamplerName.TYP_P,
    "p": SamplerName.TOP_P,
    "m": SamplerName.MIN_P,
    "x": SamplerName.XTC,
    "t": SamplerName.TEMPERATURE,
    "a": SamplerName.ADAPTIVE_P,
    "i": SamplerName.INFILL,
}
ALIASES = {
    "nucleus": SamplerName.TOP_P,
    "temp": SamplerName.TEMPERATURE,
    "typ": SamplerName.TYP_P,
    "typical": SamplerName.TYP_P,
    "typical_p": SamplerName.TYP_P,
    "tfs": SamplerName.TFS_Z,
    "tail_free": SamplerName.TFS_Z,
}


def as_samplers(name: str, value: object) -> tuple[SamplerName, ...]:
    """Returns the samplers that a JSON value names. Raises InvalidRequest for anything but names or letters."""
    if isinstance(value, str):
        return samplers_from_letters(name, value)
    if isinstance(value, list):
        return samplers_from_names(name, value)
    raise invalid_value(name, SHAPES, value)


def samplers_from_letters(name: str, letters: str) -> tuple[SamplerName, ...]:
    """Returns a sampler for each letter. Raises InvalidRequest for an unknown letter."""
    for letter in letters:
        if letter not in LETTERS:
            meanings = ", ".join(f"{known} ({sampler})" for known, sampler in LETTERS.items())
            raise InvalidRequest(name, f"expected letters out of {meanings}, got {preview(letter)}")
    return tuple(LETTERS[letter] for letter in letters)


def samplers_from_names(name: str, spellings: Iterable[object]) -> tuple[SamplerName, ...]:
    """Returns a sampler for each name, in any of its spellings. Raises InvalidRequest for an unknown name."""
    return tuple(_sampler_by_name(name, spelling) for spelling in spellings)


def _sampler_by_name(name: str, spelling: object) -> SamplerName:
    sampler = SAMPLERS_BY_NAME.get(_normalize_name(spelling)) if isinstance(spelling, str) else None
    if sampler is None:
        raise InvalidRequest(name, f"expected names out of {', '.join(SamplerName)}, got {preview(spelling)}")
    return sampler


def _normalize_name(spelling: str) -> str:
    return spelling.lower().replace("-", "").replace("_", "")


SAMPLERS_BY_NAME = {_normalize_name(spelling): sampler for spelling, sampler in ALIASES.items()} | {
    _normalize_name(sampler): sampler for sampler in SamplerName
}
"""The samplers by every spelling of their names: top_k, top-k, TopK, ..."""
