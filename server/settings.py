"""What the HTTP side is started with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from server.generation.options import GenerationOptions

CacheIsolation = Literal["none", "session", "key"]
ReasoningFormat = Literal["none", "auto", "deepseek"]
REASONING_FORMATS = get_args(ReasoningFormat)


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
    defaults: GenerationOptions = field(default_factory=GenerationOptions)
    """What the flags say about the options of requests."""
    shutdown_timeout: int = 30
    """Seconds that running requests get to finish when the server is stopped."""
