"""Settings: how the server listens and what it serves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from server.options.generation_options import GenerationOptions

CacheIsolation = Literal["none", "session", "key"]
ReasoningFormat = Literal["none", "auto", "deepseek"]
REASONING_FORMATS = get_args(ReasoningFormat)


@dataclass(frozen=True, slots=True)
class Settings:
    model_path: Path
    alias: str
    """The `model` in responses."""
    chat_template: str | None = None
    """Jinja template of chats: the one of a flag, else the one in the model's header."""
    chat_template_kwargs: Mapping[str, object] = field(default_factory=dict)
    """Further variables of the template, unless a request sets them."""
    host: str = "127.0.0.1"
    port: int = 8080
    api_keys: tuple[str, ...] = ()
    """A request must have one of these keys, if there are any."""
    show_slots: bool = True
    """Allow GET /slots."""
    show_prompts: bool = False
    """Show all prompts and texts in /slots to everybody, not only its own to each session."""
    slot_save_path: Path | None = None
    """The folder that slots are saved to; None disables saving."""
    cache_isolation: CacheIsolation = "none"
    """Which requests share prefixes: all ("none"), those of one session, or those with one API key."""
    system_prompt: str = ""
    """System prompt at the start."""
    embd_normalize: int = 2
    """Norm to divide embeddings by, unless a request in llama.cpp's dialect sets another."""
    rerank_template: str | None = None
    """Joins a query and a document; None puts special tokens between them."""
    can_rank: bool = False
    """The model has a head that scores texts."""
    reasoning_format: ReasoningFormat = "auto"
    """"none" leaves the reasoning of chats in the content, the others return it as reasoning_content."""
    spm_infill: bool = False
    """Put the suffix before the prefix in infill prompts."""
    defaults: GenerationOptions = field(default_factory=GenerationOptions)
    """The options that flags set, for requests that leave them out."""
    shutdown_timeout: int = 30
    """Seconds for running requests to finish when the server stops."""

    @property
    def model_names(self) -> list[str]:
        """The names of the model: its alias, then the name of its file without the ending."""
        return list(dict.fromkeys([self.alias, self.model_path.stem]))
