"""Flags of the HTTP server: address, API keys, limits and the log."""

from server.cli.parser import Flag, Group, Switch
from server.cli.values import api_key_file, api_keys, int_in_range

SERVER = Group(
    "HTTP server",
    "",
    Flag("--host HOST", "host", str, "IP address to listen on; 0.0.0.0 = all interfaces", "LLAMA_ARG_HOST"),
    Flag("--port PORT", "port", int_in_range(0, 65535), "port to listen on; 0 = any free port", "LLAMA_ARG_PORT"),
    Flag(
        "--api-key KEY",
        "api_keys",
        api_keys,
        "API key that requests must send; several with commas between them, or as repeated flags",
        "LLAMA_API_KEY",
        repeatable=True,
    ),
    Flag(
        "--api-key-file FILE", "file_keys", api_key_file, "file with API keys, one per line", "LLAMA_ARG_API_KEY_FILE"
    ),
    Switch(
        "--slots, --no-slots",
        "show_slots",
        "enable GET /slots, which reports the state of each slot",
        "LLAMA_ARG_ENDPOINT_SLOTS",
    ),
    Switch(
        "--slots-prompts",
        "show_prompts",
        "show the prompts of all clients in GET /slots, instead of only those of the client's own session",
    ),
    Flag(
        "--max-queue N",
        "max_queue",
        int_in_range(1),
        "maximum number of requests waiting for a slot; further ones are rejected",
    ),
    Flag(
        "--shutdown-timeout S",
        "shutdown_timeout",
        int_in_range(0),
        "seconds that running requests have to finish at shutdown",
    ),
    Switch("-v, --verbose, --log-verbose", "verbose", "log every step, and the messages of llama.cpp"),
)
