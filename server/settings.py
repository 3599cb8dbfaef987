"""What the HTTP side is started with."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal, get_args

from grammar.source import GrammarSource
from slots.requests.sampling_params import SamplingParams

CacheIsolation = Literal["none", "session", "key"]
ReasoningFormat = Literal["none", "auto", "deepseek"]
REASONING_FORMATS = get_args(ReasoningFormat)


@dataclass(frozen=True, slots=True)
class Constraint:
    """A grammar that a text has to match, and the request field or flag that it comes from."""

    name: str
    """The field or flag, for error messages."""
    source: GrammarSource


@dataclass(frozen=True, slots=True)
class CompletionDefaults:
    """What a request that leaves an option out gets."""

    sampling: SamplingParams = field(default_factory=SamplingParams)
    constraint: Constraint | None = None
    """What the text has to match; None leaves it free."""
    n_predict: int = -1
    n_keep: int = 0
    cache_prompt: bool = True
    n_cache_reuse: int = 0
    n_indent: int = 0
    t_max_predict_ms: int = 0
    timings_per_token: bool = False
    return_tokens: bool = False
    n_draft: ClassVar[int] = -1
    """As many as the engine guesses ahead, which has flags of its own."""


def without_repeat_penalty(defaults: CompletionDefaults) -> CompletionDefaults:
    """Returns the same defaults, but for that."""
    return replace(defaults, sampling=replace(defaults.sampling, repeat_penalty=1.0))


@dataclass(frozen=True, slots=True)
class Settings:
    """How the server listens and what it says about its model."""

    model_path: Path
    alias: str
    """The name that answers carry as `model`."""
    chat_template: str | None = None
    """The Jinja template of chats: the one asked for, else the one in the model's header."""
    chat_template_kwargs: Mapping[str, object] = field(default_factory=dict)
    """Further variables of it, for requests that do not set them."""
    host: str = "127.0.0.1"
    port: int = 8080
    api_keys: tuple[str, ...] = ()
    """Keys of which a request must bear one; none leaves the server open."""
    show_slots: bool = True
    """Answer GET /slots."""
    show_prompts: bool = False
    """Show everybody's prompts and texts there, and not to each session only its own."""
    slot_save_path: Path | None = None
    """The folder that slots are saved to; None saves none."""
    cache_isolation: CacheIsolation = "none"
    """Who shares what was computed of a prompt: everybody, the requests of one session, or those with one API key."""
    system_prompt: str = ""
    """The text of the system prompt to start with."""
    embd_normalize: int = 2
    """The norm by which embeddings are divided, unless a request of llama.cpp's dialect asks for another."""
    rerank_template: str | None = None
    """Makes one text of a query and a document; None puts special tokens between them."""
    can_rank: bool = False
    """The model has a head that scores texts."""
    reasoning_format: ReasoningFormat = "auto"
    """Where thoughts of chats go: "none" leaves them in the text, the others make them reasoning_content."""
    spm_infill: bool = False
    """In prompts of /infill, the suffix stands before the prefix."""
    defaults: CompletionDefaults = field(default_factory=CompletionDefaults)
    openai_defaults: CompletionDefaults = field(default_factory=lambda: without_repeat_penalty(CompletionDefaults()))
    """The same for OpenAI's dialect, which knows no repeat penalty."""
    shutdown_timeout: int = 30
    """Seconds that running requests get to finish when the server is stopped."""
