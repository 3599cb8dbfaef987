"""Prompts: every shape in which a request may give them, and their tokens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from server.generation.media import MediaLoader
from server.generation.prompt_media import Images, split_at_images, split_at_markers
from server.http.errors import ApiError
from server.http.fields import as_string, as_token, invalid_value, is_list_of_several, is_number, naming_field
from server.settings import Settings
from slots.engine import Engine
from slots.errors import InvalidRequest, PromptTooLong
from slots.llama import Vocab
from slots.multimodal.media import Media
from slots.requests.media import RequestMedia

SHAPES = (
    "a string, a list of token ids, a list of strings and token ids, an object with prompt_string, "
    "or a list of several of these"
)
SCHEMA = {
    "type": ["string", "array", "object"],
    "items": {"type": ["string", "integer", "array", "object"]},
    "properties": {
        "prompt_string": {"type": "string"},
        "multimodal_data": {"type": "array", "items": {"type": "string"}},
    },
}
MAX_PROMPTS = 128

PromptInput = str | list[object]


@dataclass(frozen=True, slots=True)
class Prompt:
    original: PromptInput
    """As the request gave it."""
    tokens: tuple[int, ...]
    """Including those of the system prompt."""
    n_system: int
    """Number of tokens at the beginning that are the system prompt's."""
    name: str = "prompt"
    """What error messages call it."""
    media: tuple[Media, ...] = ()

    @property
    def request_media(self) -> RequestMedia | None:
        """What the engine has to know of the media."""
        return RequestMedia(tuple(chunk for each in self.media for chunk in each.chunks)) if self.media else None


@dataclass(frozen=True, slots=True)
class PromptContext:
    """What prompts are read with."""

    engine: Engine
    system: tuple[int, ...]
    """Tokens of the system prompt, which precede each."""
    loader: MediaLoader
    marker: str
    """Stands for media in the text of an object with `multimodal_data`."""
    images: Images
    """The request's `image_data`."""


def read_prompts(
    value: object, engine: Engine, system: tuple[int, ...], settings: Settings, images: Images | None = None
) -> list[Prompt]:
    """Returns the prompts of a request to `engine`, each after the tokens of `system`. For a worker thread if there are
    media.

    Raises InvalidRequest, which names the prompt, for any other shape, for more prompts than can ever be queued, for
    token ids outside the vocabulary and for a prompt without tokens; PromptTooLong for a list of more token ids than
    fit into a slot, if the engine cannot leave some out.
    """
    context = PromptContext(engine, system, MediaLoader(engine, settings), settings.media_marker, images or Images())
    return [_read_one(name, part, context) for name, part in _split(value, engine)]


def _split(value: object, engine: Engine) -> list[tuple[str, object]]:
    """Returns the prompts with their names. Raises InvalidRequest for more than can ever be queued."""
    if is_list_of_several(value):
        _check_count(len(value), engine.max_unfinished)
        return [(f"prompt[{index}]", part) for index, part in enumerate(value)]
    return [("prompt", value)]


def split_prompts(value: object, engine: Engine) -> list[tuple[str, object]]:
    """Returns the prompts of a request to `engine`, each with its name. Raises InvalidRequest for more than can ever be
    queued, and for an object without a text; ApiError (501) for one with more than that."""
    return [(name, unwrap_prompt(name, part)) for name, part in _split(value, engine)]


def unwrap_prompt(name: str, value: object) -> object:
    """Returns the text of a prompt that is an object with `prompt_string`, and any other value as it is.

    Raises InvalidRequest if that is no string, and ApiError (501) if there are images or sounds beside it.
    """
    if not isinstance(value, dict) or "prompt_string" not in value:
        return value
    if value.get("multimodal_data"):
        raise ApiError(501, f"{name}.multimodal_data: images and sounds are not supported, only text is")
    return as_string(f"{name}.prompt_string", value["prompt_string"])


def _check_count(n_prompts: int, n_places: int) -> None:
    """Checks before anything is tokenized."""
    if n_prompts > MAX_PROMPTS:
        message = f"expected at most {MAX_PROMPTS} prompts, since each takes a place in the queue, got {n_prompts}"
        raise InvalidRequest("prompt", message)
    if n_prompts > n_places:
        message = f"expected at most {n_places} prompts, the slots and places in the queue, got {n_prompts}"
        raise InvalidRequest("prompt", message)


def _read_one(name: str, value: object, context: PromptContext) -> Prompt:
    engine, system = context.engine, context.system
    pieces: list[object] = []
    if isinstance(value, dict) and value.get("multimodal_data"):
        text = as_string(f"{name}.prompt_string", value.get("prompt_string"))
        data = value["multimodal_data"]
        pieces += split_at_markers(name, text, data, context.marker, context.loader)
        value = text
    else:
        value = unwrap_prompt(name, value)
        if not isinstance(value, str | list):
            raise invalid_value(name, SHAPES, value)
        pieces += [value] if isinstance(value, str) else value
        pieces = split_at_images(name, pieces, context.images, context.loader)
    n_known = len(system) + sum(map(is_number, pieces))
    if n_known > engine.n_ctx_slot and not engine.context_shift:
        raise PromptTooLong(n_known, engine.n_ctx_slot, name)  # before each token is looked at
    tokens = system + _tokenize(name, pieces, engine.vocab, is_start=not system)
    if not tokens:
        raise InvalidRequest(name, "expected at least one token, got none")
    return Prompt(value, tokens, len(system), name, tuple(piece for piece in pieces if isinstance(piece, Media)))


def _tokenize(name: str, pieces: Sequence[object], vocab: Vocab, *, is_start: bool) -> tuple[int, ...]:
    """Special tokens (BOS, if the model's header asks for it) are added only to a text at the beginning: a list that
    starts with a token id says itself how it starts. After a system prompt none are added."""

    def tokenize(index: int, text: str) -> list[int]:
        with naming_field(name):
            return vocab.tokenize(text, add_special=is_start and index == 0, parse_special=True)

    return tuple(tokenize_mixed(name, pieces, vocab, tokenize))


def tokenize_mixed(
    name: str, parts: Sequence[object], vocab: Vocab, tokenize: Callable[[int, str], list[int]]
) -> list[int]:
    """Returns the tokens of a list of strings, token ids and media; `tokenize` gets the index of each string, and the
    string.

    Raises InvalidRequest, which names the part, for anything else, and what `tokenize` raises.
    """
    tokens: list[int] = []
    for index, part in enumerate(parts):
        if isinstance(part, str):
            tokens += tokenize(index, part)
        elif isinstance(part, Media):
            tokens += part.tokens
        elif is_number(part):
            tokens.append(as_token(f"{name}[{index}]", part, vocab.n_tokens))
        else:
            raise invalid_value(f"{name}[{index}]", "a string or the id of a token", part)
    return tokens
