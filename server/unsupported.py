"""Options of llama.cpp's server and of OpenAI's that this one knows but does not support: they pass while they ask for
nothing."""

from collections.abc import Callable
from dataclasses import dataclass

from server.http.errors import ApiError
from server.http.fields import Fields, shown


@dataclass(frozen=True, slots=True)
class Neutral:
    """The values at which an option asks for nothing; null is always one of them."""

    described: str
    includes: Callable[[object], bool]


def only(value: object) -> Neutral:
    return Neutral(shown(value), lambda given: given is None or given == value)


NEUTRAL_VALUES = {
    "grammar_lazy": only(False),
    "grammar_triggers": only([]),
    "image_data": only([]),
    "lora": only([]),
    "modalities": only(["text"]),
    "return_progress": only(False),
}


def refuse_unsupported(fields: Fields) -> None:
    """Raises ApiError (501), which names the option, when one that is not supported asks for something."""
    for name, neutral in NEUTRAL_VALUES.items():
        value = fields.get(name)
        if not neutral.includes(value):
            message = f"{name}: not supported, expected {neutral.described} or no such option, got {shown(value)}"
            raise ApiError(501, message)
