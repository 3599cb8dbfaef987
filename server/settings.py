"""What the HTTP side is started with."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from server.constraint import Constraint
from slots.sampling_params import SamplingParams

CacheIsolation = Literal["none", "session", "key"]


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


@dataclass(frozen=True, slots=True)
class Settings:
    """How the server listens and what it says about its model."""

    model_path: Path
    alias: str
    """The name that answers carry as `model`."""
    chat_template: str | None = None
    """The Jinja template in the model's header."""
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
    defaults: CompletionDefaults = field(default_factory=CompletionDefaults)
    shutdown_timeout: int = 30
    """Seconds that running requests get to finish when the server is stopped."""
