"""SystemPrompt: a text before every prompt, and the names under which users and the assistant speak after it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import PlainValidator, ValidationInfo, WithJsonSchema

from server.http.fields import Fields, as_string, invalid_value, naming_field, preview, read_member
from slots.errors import InvalidRequest
from slots.requests.params import Takes

if TYPE_CHECKING:
    from slots.engine import Engine
    from slots.llama import Vocab

EXPECTED_FORMS = "a string or an object with prompt, anti_prompt and assistant_name"
MEMBERS = ("prompt", "anti_prompt", "assistant_name")
MAX_NAME_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class SystemPrompt:
    """Without tokens there is no system prompt, only the names."""

    text: str = ""
    """As it was given."""
    tokens: tuple[int, ...] = ()
    """They begin as the model wants a text to begin; what follows them does not."""
    anti_prompt: str = ""
    """What a user's turn begins with."""
    assistant_name: str = ""


def _read_system_prompt(value: object, info: "ValidationInfo[Engine]") -> SystemPrompt:
    engine = info.context
    if isinstance(value, str):
        return make_system_prompt("system_prompt", value, engine)
    if not isinstance(value, dict):
        raise invalid_value("system_prompt", EXPECTED_FORMS, value)
    return _read_object(value, engine)


SystemPromptOption = Annotated[
    SystemPrompt | None,
    Takes(EXPECTED_FORMS),
    PlainValidator(_read_system_prompt),
    WithJsonSchema({"type": ["string", "object"], "properties": {name: {"type": "string"} for name in MEMBERS}}),
]
"""A request's system prompt. Validated with the engine as context. An empty text removes the present one, but
sets the names. A text that leaves no room in a slot is refused."""


def make_system_prompt(
    name: str, text: str, engine: "Engine", anti_prompt: str = "", assistant_name: str = ""
) -> SystemPrompt:
    """Returns the system prompt of a text; an empty one has no tokens. Raises InvalidRequest, which names `name`, for a
    text that leaves no room in a slot or cannot be tokenized."""
    if not text:
        return SystemPrompt(anti_prompt=anti_prompt, assistant_name=assistant_name)
    with naming_field(name):
        tokens = (*_bos_tokens(engine.vocab), *engine.vocab.tokenize(text, add_special=False, parse_special=True))
    if len(tokens) >= engine.n_ctx_slot:
        message = f"expected fewer tokens than the context of a slot has, {engine.n_ctx_slot}, got {len(tokens)}"
        raise InvalidRequest(name, message)
    return SystemPrompt(text, tokens, anti_prompt, assistant_name)


def _read_object(value: Fields, engine: "Engine") -> SystemPrompt:
    for member in value:
        if member not in MEMBERS:
            raise InvalidRequest("system_prompt", f"expected {EXPECTED_FORMS}, got a member {preview(member)}")
    text = as_string("system_prompt.prompt", value.get("prompt"))
    anti_prompt, assistant_name = _read_name(value, "anti_prompt"), _read_name(value, "assistant_name")
    return make_system_prompt("system_prompt.prompt", text, engine, anti_prompt, assistant_name)


def _read_name(value: Fields, member: str) -> str:
    text = read_member("system_prompt", value, member)
    if len(text) > MAX_NAME_CHARACTERS:
        raise InvalidRequest(
            f"system_prompt.{member}", f"expected at most {MAX_NAME_CHARACTERS} characters, got {len(text)}"
        )
    return text


def _bos_tokens(vocab: "Vocab") -> tuple[int, ...]:
    """Returns BOS, if the model wants it, but no EOS, since text follows."""
    return (vocab.bos,) if vocab.add_bos and vocab.bos is not None else ()
