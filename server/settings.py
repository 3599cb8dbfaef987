"""Settings: how the server listens, what it serves and what it logs."""

import logging
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from server.options.generation_options import GenerationOptions

CacheIsolation = Literal["none", "session", "key"]
ReasoningFormat = Literal["none", "auto", "deepseek", "deepseek-legacy"]
REASONING_FORMATS = get_args(ReasoningFormat)


def _media_marker() -> str:
    """Returns a text that no user can guess, unless a variable of llama.cpp's server sets it."""
    return os.environ.get("LLAMA_MEDIA_MARKER") or f"<__media_{secrets.token_hex(16)}__>"


@dataclass(frozen=True, slots=True)
class LogSettings:
    log_level: int = logging.INFO
    """The least level that is logged; DEBUG shows messages of libraries as well."""
    log_file: Path | None = None
    log_json: bool = False
    log_timestamps: bool = True
    log_disabled: bool = False


@dataclass(frozen=True, slots=True)
class FineTuneSettings:
    fine_tune_path: Path | None = None
    """The folder of uploaded files, jobs and adapters; None disables them."""
    fine_tune_allow_local: bool = False
    """Fetch training files from this machine and private networks, too."""
    fine_tune_max_file_mib: int = 512
    fine_tune_max_queue: int = 16
    """Jobs that may wait for the running one."""
    fine_tune_timeout: int = 86_400
    """Seconds that a job may run."""
    fine_tune_threads: int = 1
    """CPU threads of a job."""


@dataclass(frozen=True, slots=True)
class Settings:
    model_path: Path
    alias: str
    """The `model` in responses."""
    aliases: tuple[str, ...] = ()
    """All names of the model that flags give."""
    tags: tuple[str, ...] = ()
    """Of the model, for clients."""
    chat_template: str | None = None
    """Jinja template of chats: the one of a flag, else the one in the model's header."""
    tool_use_template: str | None = None
    """The one in the header for chats with tools; None if it has none, or if a flag gives a template."""
    chat_template_kwargs: Mapping[str, object] = field(default_factory=dict)
    """Further variables of the template, unless a request sets them."""
    hosts: tuple[str, ...] = ("127.0.0.1",)
    """Addresses; one that ends in .sock is the path of a Unix socket."""
    port: int = 8080
    reuse_port: bool = False
    """Let other processes listen on the port, too."""
    tls_key_file: Path | None = None
    tls_certificate_file: Path | None = None
    """With both files HTTPS is served."""
    io_timeout: int = 3600
    """Seconds that a client may take to send more of a request or take more of a response."""
    api_prefix: str = ""
    """The path in front of all endpoints."""
    cors_origins: tuple[str, ...] = ("*",)
    """Origins of pages that may use the server; "*" stands for all, "localhost" for those of this machine."""
    cors_methods: tuple[str, ...] = ("GET", "POST", "DELETE", "OPTIONS")
    cors_headers: tuple[str, ...] = ("*",)
    cors_credentials: bool = True
    api_keys: tuple[str, ...] = ()
    """A request must have one of these keys, if there are any."""
    show_slots: bool = True
    """Allow GET /slots."""
    show_metrics: bool = True
    """Allow GET /metrics."""
    show_ui: bool = True
    """Serve the page for people at /."""
    ui_settings: Mapping[str, object] = field(default_factory=dict)
    """Options of requests, and further settings, that the page starts with."""
    show_prompts: bool = False
    """Show all prompts and texts in /slots to everybody, not only its own to each session."""
    log_prompts: bool = False
    """Write prompts, texts and the messages of errors that may quote them to the log."""
    otlp_traces_endpoint: str | None = None
    """The URL of the collector that traces are sent to; None sends none."""
    slot_save_path: Path | None = None
    """The folder that slots are saved to; None disables saving."""
    allow_lora_updates: bool = False
    """Allow requests to load LoRA adapters from files of this machine, and to unload them."""
    fine_tune: FineTuneSettings = FineTuneSettings()
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
    """"none" leaves the reasoning of chats in the content, the others return it as reasoning_content; in OpenAI's
    dialect "deepseek-legacy" leaves it in the content as well."""
    show_special: bool = False
    """Return the text of special tokens."""
    infill_streams: bool = True
    """Send the text of /infill as server-sent events, unless the request says otherwise."""
    spm_infill: bool = False
    """Put the suffix before the prefix in infill prompts."""
    media_path: Path | None = None
    """The folder below which requests may name files of pictures and sounds."""
    media_url_hosts: tuple[str, ...] = ()
    """Hosts from which pictures and sounds are downloaded; "*" stands for all."""
    media_marker: str = field(default_factory=_media_marker, compare=False)
    """Stands for a picture or sound in prompts of llama.cpp's dialect."""
    defaults: GenerationOptions = field(default_factory=GenerationOptions)
    """The options that flags set, for requests that leave them out."""
    sleep_idle_seconds: int = -1
    """Seconds without a request after which the model is unloaded, until the next one; -1 keeps it loaded."""
    shutdown_timeout: int = 30
    """Seconds for running requests to finish when the server stops."""

    @property
    def model_names(self) -> list[str]:
        """The names of the model: its aliases, then the name of its file without the ending."""
        return list(dict.fromkeys([self.alias, *self.aliases, self.model_path.stem]))

    @property
    def scheme(self) -> str:
        return "https" if self.tls_certificate_file else "http"


def is_socket_path(host: str) -> bool:
    """Whether a host is the path of a Unix socket."""
    return host.endswith(".sock")
