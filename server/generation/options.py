"""The options of a completion: JSON to the engine's terms."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from grammar.matcher import CompiledGrammar
from server.chat.system_prompt import SystemPrompt, read_system_prompt
from server.generation.constraint import read_constraint
from server.generation.sampling_options import read_sampling
from server.http.errors import ApiError
from server.http.fields import (
    Fields,
    first_present,
    invalid_value,
    preview,
    read_boolean,
    read_integer,
    read_string,
    read_strings,
)
from server.settings import CompletionDefaults, Constraint
from slots.engine import Engine
from slots.errors import InvalidRequest
from slots.requests.request import CompletionRequest
from slots.requests.sampling_params import MAX_SEED, SamplingParams
from slots.requests.scope import CacheScope

MAX_CHOICES = 128


def read_n_choices(fields: Fields, name: str, default: int = 1) -> int:
    """Returns how many choices a request wants for each of its prompts. Raises InvalidRequest, which names the field,
    for none or too many."""
    n_choices = read_integer(fields, name, default)
    if not 1 <= n_choices <= MAX_CHOICES:
        raise invalid_value(name, f"a number from 1 to {MAX_CHOICES}", n_choices)
    return n_choices


def check_queue_capacity(n_prompts: int, n_choices: int, engine: Engine) -> None:
    """Raises InvalidRequest for more answers than there are slots and places in the queue: they could never all be
    taken."""
    n_answers, n_places = n_prompts * n_choices, engine.max_unfinished
    if n_answers > n_places:
        message = f"expected at most {n_places} answers, the slots and places in the queue, got {n_answers}"
        raise InvalidRequest("n", message)


def seed_for_choice(request: CompletionRequest, index: int) -> CompletionRequest:
    """Returns the request for one of several choices: a seed that was asked for is the first one's, and the others
    count up from it, so that they differ and come out the same again."""
    seed = request.sampling.seed
    if seed < 0 or index == 0:
        return request
    return replace(request, sampling=replace(request.sampling, seed=(seed + index) % (MAX_SEED + 1)))


@dataclass(frozen=True, slots=True)
class NeutralValue:
    """The values at which an option asks for nothing; null is always one of them."""

    description: str
    contains: Callable[[object], bool]


def accepts_only(value: object) -> NeutralValue:
    return NeutralValue(preview(value), lambda given: given is None or given == value)


NEUTRAL_VALUES = {
    "grammar_lazy": accepts_only(False),
    "grammar_triggers": accepts_only([]),
    "image_data": accepts_only([]),
    "lora": accepts_only([]),
    "modalities": accepts_only(["text"]),
    "return_progress": accepts_only(False),
}


def refuse_unsupported(fields: Fields) -> None:
    """Raises ApiError (501), which names the option, when one that is not supported asks for something."""
    for name, neutral in NEUTRAL_VALUES.items():
        value = fields.get(name)
        if not neutral.contains(value):
            message = f"{name}: not supported, expected {neutral.description} or no such option, got {preview(value)}"
            raise ApiError(501, message)


MAX_SALT_CHARACTERS = 256
"""Characters."""


@dataclass(frozen=True, slots=True)
class CompletionOptions:
    """Everything that a request says besides its prompts, which all share it."""

    sampling: SamplingParams
    system_prompt: SystemPrompt | None
    """The one that stands in front from now on, if the request brings one."""
    constraint: Constraint | None
    n_choices: int
    """Answers to each prompt."""
    n_predict: int
    stop: tuple[str, ...]
    n_keep: int
    slot_id: int
    cache_prompt: bool
    n_cache_reuse: int
    cache_salt: str
    n_indent: int
    t_max_predict_ms: int
    n_draft: int
    timings_per_token: bool
    backend_sampling: bool
    stream: bool
    return_tokens: bool
    response_fields: tuple[str, ...]
    preserved: frozenset[int] = frozenset()
    """Control tokens that are spelled out in the text."""

    def request(
        self, prompt: tuple[int, ...], session: str, scope: CacheScope, grammar: CompiledGrammar | None
    ) -> CompletionRequest:
        """Returns what to ask the engine for; `grammar` is what the constraint was compiled to.

        Raises InvalidRequest for a value out of its range.
        """
        return CompletionRequest(
            prompt=prompt,
            sampling=self.sampling,
            n_predict=self.n_predict,
            stop=self.stop,
            n_keep=self.n_keep,
            slot_id=self.slot_id,
            session=session,
            cache_prompt=self.cache_prompt,
            scope=scope,
            grammar=grammar,
            n_cache_reuse=self.n_cache_reuse,
            n_indent=self.n_indent,
            t_max_predict_ms=self.t_max_predict_ms,
            is_streamed=self.stream,
            n_draft=self.n_draft,
            timings_per_token=self.timings_per_token,
            backend_sampling=self.backend_sampling,
            preserved_tokens=self.preserved,
        )


def read_options(
    fields: Fields, engine: Engine, defaults: CompletionDefaults, *, streams: bool = False
) -> CompletionOptions:
    """Returns the options of a request to `engine`; `defaults` stand for those that it leaves out, and `streams` for
    whether it wants a stream.

    Raises InvalidRequest, which names the field, for a wrong type and for a sampling option out of its range, and
    ApiError (501) for an option that is not supported.
    """
    refuse_unsupported(fields)
    return CompletionOptions(
        sampling=read_sampling(fields, engine.vocab, defaults.sampling),
        system_prompt=read_system_prompt(fields.get("system_prompt"), engine),
        constraint=read_constraint(fields, defaults.constraint),
        n_choices=read_n_choices(fields, first_present(fields, "n", "n_cmpl")),
        n_predict=_read_n_predict(fields, defaults.n_predict),
        stop=_read_stop(fields.get("stop")),
        n_keep=read_integer(fields, "n_keep", defaults.n_keep),
        slot_id=_read_slot_id(fields),
        cache_prompt=read_boolean(fields, "cache_prompt", defaults.cache_prompt),
        n_cache_reuse=read_integer(fields, "n_cache_reuse", defaults.n_cache_reuse),
        cache_salt=_read_cache_salt(fields),
        n_indent=read_integer(fields, "n_indent", defaults.n_indent),
        t_max_predict_ms=read_integer(fields, "t_max_predict_ms", defaults.t_max_predict_ms),
        n_draft=read_integer(fields, "speculative.n_max", defaults.n_draft),
        timings_per_token=read_boolean(fields, "timings_per_token", defaults.timings_per_token),
        backend_sampling=read_boolean(fields, "backend_sampling", True),
        stream=read_boolean(fields, "stream", streams),
        return_tokens=read_boolean(fields, "return_tokens", defaults.return_tokens),
        response_fields=read_strings(fields, "response_fields", ()),
    )


def _read_n_predict(fields: Fields, default: int) -> int:
    name = first_present(fields, "n_predict", "max_completion_tokens", "max_tokens")
    n_predict = read_integer(fields, name, default)
    if n_predict < -1:
        raise invalid_value(name, "-1 or more", n_predict)
    return n_predict


def _read_stop(value: object) -> tuple[str, ...]:
    words = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise invalid_value("stop", "a string or a list of strings", value)
    return tuple(word for word in words if word)


def _read_slot_id(fields: Fields) -> int:
    slot_id = read_integer(fields, "slot_id", -1)
    id_slot = read_integer(fields, "id_slot", slot_id)
    if fields.get("slot_id") is not None and slot_id != id_slot:
        raise InvalidRequest("id_slot", f"expected the same as slot_id, {slot_id}, or only one of them, got {id_slot}")
    return id_slot


def _read_cache_salt(fields: Fields) -> str:
    salt = read_string(fields, "cache_salt", "")
    if len(salt) > MAX_SALT_CHARACTERS:
        raise InvalidRequest("cache_salt", f"expected at most {MAX_SALT_CHARACTERS} characters, got {len(salt)}")
    return salt
