"""The system prompt: a text that stands in front of every prompt, and how to write what follows it."""

from dataclasses import dataclass

from server.http.fields import Fields, as_string, invalid_value, naming_field, preview, read_string
from slots.engine import Engine
from slots.errors import InvalidRequest
from slots.llama import Vocab

EXPECTED_FORMS = "a string or an object with prompt, anti_prompt and assistant_name"
MEMBERS = ("prompt", "anti_prompt", "assistant_name")
MAX_NAME_CHARACTERS = 256
"""Characters."""


@dataclass(frozen=True, slots=True)
class SystemPrompt:
    """Without tokens it is none, and says no more than how to write what users and the assistant say."""

    text: str = ""
    """As it was given."""
    tokens: tuple[int, ...] = ()
    """They begin as the model wants a text to begin; what follows them does not."""
    anti_prompt: str = ""
    """What a user's turn begins with."""
    assistant_name: str = ""


def read_system_prompt(value: object, engine: Engine) -> SystemPrompt | None:
    """Returns the system prompt that a request brings, or None if it says nothing about one. An empty text takes
    the present one away; the names beside it count all the same.

    Raises InvalidRequest, which names the field, for any other shape, and for a text that leaves no room in a slot.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return make_system_prompt("system_prompt", value, engine)
    if not isinstance(value, dict):
        raise invalid_value("system_prompt", EXPECTED_FORMS, value)
    return _read_object(value, engine)


def make_system_prompt(
    name: str, text: str, engine: Engine, anti_prompt: str = "", assistant_name: str = ""
) -> SystemPrompt:
    """Returns the system prompt of a text, which is none if that is empty. Raises InvalidRequest, which names `name`,
    for a text that leaves no room in a slot or cannot be tokenized."""
    if not text:
        return SystemPrompt(anti_prompt=anti_prompt, assistant_name=assistant_name)
    with naming_field(name):
        tokens = (*_bos_tokens(engine.vocab), *engine.vocab.tokenize(text, add_special=False, parse_special=True))
    if len(tokens) >= engine.n_ctx_slot:
        room = f"expected fewer tokens than the context of a slot has, {engine.n_ctx_slot}, got {len(tokens)}"
        raise InvalidRequest(name, room)
    return SystemPrompt(text, tokens, anti_prompt, assistant_name)


def _read_object(value: Fields, engine: Engine) -> SystemPrompt:
    for member in value:
        if member not in MEMBERS:
            raise InvalidRequest("system_prompt", f"expected {EXPECTED_FORMS}, got a member {preview(member)}")
    text = as_string("system_prompt.prompt", value.get("prompt"))
    anti_prompt, assistant_name = _read_name(value, "anti_prompt"), _read_name(value, "assistant_name")
    return make_system_prompt("system_prompt.prompt", text, engine, anti_prompt, assistant_name)


def _read_name(value: Fields, member: str) -> str:
    name = f"system_prompt.{member}"
    text = read_string({name: value.get(member)}, name, "")
    if len(text) > MAX_NAME_CHARACTERS:
        raise InvalidRequest(name, f"expected at most {MAX_NAME_CHARACTERS} characters, got {len(text)}")
    return text


def _bos_tokens(vocab: Vocab) -> tuple[int, ...]:
    """BOS where the model wants it, but no EOS: the text goes on."""
    return (vocab.bos,) if vocab.add_bos and vocab.bos is not None else ()
