"""Flags of the HTTP server: API keys, limits and what it shows."""

from server.cli.parser import Flag, Group, Switch
from server.cli.values import MAX_SIZE, api_key_file, api_keys, http_url, int_in_range, positive_float


def idle_seconds(text: str) -> int:
    """Returns a number of seconds from 1, or -1."""
    return -1 if text == "-1" else int_in_range(1)(text)


SERVER = Group(
    "HTTP server",
    "",
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
        "--metrics, --no-metrics",
        "show_metrics",
        "enable GET /metrics, which has counts and times in Prometheus' format",
        "LLAMA_ARG_ENDPOINT_METRICS",
    ),
    Flag(
        "--otlp-traces-endpoint URL",
        "otlp_traces_endpoint",
        http_url,
        "send a trace of each request to an OpenTelemetry collector, for example http://localhost:4318/v1/traces;"
        " needs the extra `otel`",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
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
        "--watchdog-seconds S",
        "watchdog_seconds",
        positive_float,
        "seconds that a step may take before /health calls the engine stuck; by default ten times as long as the"
        " longest one that the times so far let expect, and 30 at least",
    ),
    Flag(
        "--sse-ping-interval S",
        "sse_ping_interval",
        int_in_range(-1, MAX_SIZE),
        "seconds of silence after which a stream gets a comment, so that proxies keep it open; -1 = never",
        "LLAMA_ARG_SSE_PING_INTERVAL",
    ),
    Flag(
        "--sleep-idle-seconds SECONDS",
        "sleep_idle_seconds",
        idle_seconds,
        "seconds without a request after which the model is unloaded until the next one; -1 = never",
    ),
    Flag(
        "--shutdown-timeout S",
        "shutdown_timeout",
        int_in_range(0),
        "seconds that running requests have to finish at shutdown",
    ),
)
