"""Ollama's dialect."""

from server.api.ollama.chat import post_chat
from server.api.ollama.errors import ERROR_SCHEMA, ollama_error
from server.api.ollama.generate import post_generate
from server.api.ollama.models import get_processes, get_tags, post_show
from server.api.ollama.protocol import OllamaChatBody, OllamaGenerateBody, OllamaShowBody
from server.api.ollama.service import get_root, get_version, refuse
from server.http.dialect import Dialect, Endpoint

_TYPES = ("application/json", "application/x-ndjson")
_REFUSED = "Not supported"

OLLAMA = Dialect(
    name="Ollama",
    endpoints=(
        Endpoint("/", get_root, "Whether the server lives", needs_key=False, media_types=("text/plain",)),
        Endpoint("/api/generate", post_generate, "Answer a prompt", OllamaGenerateBody, media_types=_TYPES),
        Endpoint("/api/chat", post_chat, "Answer a chat", OllamaChatBody, media_types=_TYPES),
        Endpoint("/api/tags", get_tags, "List the model"),
        Endpoint("/api/ps", get_processes, "List the model with the memory that it takes"),
        Endpoint("/api/show", post_show, "Describe the model", OllamaShowBody),
        Endpoint("/api/version", get_version, "The version of Ollama whose API this is"),
        Endpoint("/api/pull", refuse("downloading"), _REFUSED, verb="POST"),
        Endpoint("/api/push", refuse("uploading"), _REFUSED, verb="POST"),
        Endpoint("/api/create", refuse("creating"), _REFUSED, verb="POST"),
        Endpoint("/api/copy", refuse("copying"), _REFUSED, verb="POST"),
        Endpoint("/api/delete", refuse("deleting"), _REFUSED, verb="DELETE"),
        Endpoint("/api/blobs/{digest}", refuse("uploading"), _REFUSED, verb="POST"),
    ),
    format_error=ollama_error,
    error_schema=ERROR_SCHEMA,
    prefixes=("/api/",),
)
