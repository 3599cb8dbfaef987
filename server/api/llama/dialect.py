"""llama.cpp's dialect."""

from server.api.llama.completion import read_completion
from server.api.llama.health import get_health, get_livez, get_version
from server.api.llama.infill import read_infill
from server.api.llama.lora_adapters import get_lora_adapters, post_lora_adapters
from server.api.llama.metrics import get_metrics
from server.api.llama.pool import get_pool, pool_while_asleep
from server.api.llama.props import get_chat_status, get_props, props_while_asleep
from server.api.llama.protocol import (
    ApplyTemplateRequestBody,
    CompletionRequestBody,
    DetokenizeRequestBody,
    InfillRequestBody,
    SlotFileRequestBody,
    TokenizeRequestBody,
)
from server.api.llama.slots import get_slots, post_slot
from server.api.llama.tokenize import post_apply_template, post_detokenize, post_tokenize
from server.generation.endpoint import generation_endpoint
from server.http.dialect import Dialect, Endpoint, as_before
from server.http.errors import ERROR_SCHEMA, api_error

LLAMA = Dialect(
    name="llama.cpp",
    endpoints=(
        Endpoint("/completion", generation_endpoint(read_completion), "Continue a text", CompletionRequestBody),
        Endpoint("/infill", generation_endpoint(read_infill), "Fill the gap in a text", InfillRequestBody),
        Endpoint("/apply-template", post_apply_template, "Format a chat as a prompt", ApplyTemplateRequestBody),
        Endpoint("/tokenize", post_tokenize, "Tokenize a text", TokenizeRequestBody),
        Endpoint("/detokenize", post_detokenize, "Turn tokens into a text", DetokenizeRequestBody),
        Endpoint(
            "/health",
            get_health,
            "Whether the server takes requests and works on them",
            needs_key=False,
            while_asleep=as_before,
        ),
        Endpoint(
            "/ready",
            get_health,
            "Whether the server takes requests and works on them",
            needs_key=False,
            while_asleep=as_before,
        ),
        Endpoint(
            "/livez",
            get_livez,
            "Whether the server lives, be it that it loads or stops",
            needs_key=False,
            while_asleep=as_before,
        ),
        Endpoint("/version", get_version, "What this server is"),
        Endpoint(
            "/props",
            get_props,
            "Properties of the server, its model and its defaults",
            while_asleep=props_while_asleep,
        ),
        Endpoint("/slots", get_slots, "What each slot does", query=("fail_on_no_slot",), while_asleep=as_before),
        Endpoint(
            "/slots/{id_slot}", post_slot, "Save, restore or erase a slot", SlotFileRequestBody, query=("action",)
        ),
        Endpoint(
            "/pool",
            get_pool,
            "The slots, the queue, parked prefixes and speeds, for people to look at",
            while_asleep=pool_while_asleep,
        ),
        Endpoint(
            "/metrics",
            get_metrics,
            "Counts and times for Prometheus",
            media_types=("text/plain",),
        ),
        Endpoint("/lora-adapters", get_lora_adapters, "List the LoRA adapters"),
        Endpoint("/lora-adapters", post_lora_adapters, "Set which LoRA adapters apply to later requests", verb="POST"),
        Endpoint("/chat", get_chat_status, "State of the server for chat clients", while_asleep=as_before),
    ),
    format_error=api_error,
    error_schema=ERROR_SCHEMA,
)
