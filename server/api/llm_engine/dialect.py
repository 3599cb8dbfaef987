"""LLM Engine's dialect."""

from functools import partial

from server.api.llm_engine.completions import MODEL, read_llm_engine_completion
from server.api.llm_engine.downloads import DOWNLOADS, get_download, post_download
from server.api.llm_engine.errors import ERROR_SCHEMA, llm_engine_error
from server.api.llm_engine.fine_tunes import (
    cancel_fine_tune,
    create_fine_tune,
    get_events,
    get_fine_tune,
    list_fine_tunes,
)
from server.api.llm_engine.models import create_model, delete_model, get_model, list_models, update_model
from server.api.llm_engine.protocol import FineTuneBody, LlmEngineCompletionBody, ModelDownloadBody
from server.generation.endpoint import generation_endpoint
from server.http.dialect import Dialect, Endpoint, as_before

FINE_TUNES = "/v1/llm/fine-tunes"
MODELS = "/v1/llm/model-endpoints"

_complete = generation_endpoint(partial(read_llm_engine_completion, stream=False))
_stream = generation_endpoint(partial(read_llm_engine_completion, stream=True))

LLM_ENGINE = Dialect(
    name="LLM Engine",
    endpoints=(
        Endpoint(
            "/v1/llm/completions-sync",
            _complete,
            "Continue a text",
            LlmEngineCompletionBody,
            query=(MODEL,),
            media_types=("application/json",),
        ),
        Endpoint(
            "/v1/llm/completions-stream",
            _stream,
            "Continue a text, token by token",
            LlmEngineCompletionBody,
            query=(MODEL,),
            media_types=("text/event-stream",),
        ),
        Endpoint(MODELS, list_models, "List the model", while_asleep=as_before),
        Endpoint(MODELS, create_model, "Not supported", verb="POST"),
        Endpoint(f"{MODELS}/download", post_download, "URLs of the files of a model", ModelDownloadBody),
        Endpoint(f"{MODELS}/{{name:path}}", get_model, "Describe the model"),
        Endpoint(f"{MODELS}/{{name:path}}", update_model, "Not supported", verb="PUT"),
        Endpoint(f"{MODELS}/{{name:path}}", delete_model, "Refused for base models", verb="DELETE"),
        Endpoint(FINE_TUNES, create_fine_tune, "Fine-tune the model", FineTuneBody),
        Endpoint(FINE_TUNES, list_fine_tunes, "List the fine-tuning jobs"),
        Endpoint(f"{FINE_TUNES}/{{id}}", get_fine_tune, "Describe a fine-tuning job"),
        Endpoint(f"{FINE_TUNES}/{{id}}/events", get_events, "What a job has reported"),
        Endpoint(f"{FINE_TUNES}/{{id}}/cancel", cancel_fine_tune, "Cancel a fine-tuning job", verb="PUT"),
        Endpoint(
            f"{DOWNLOADS}/{{file}}",
            get_download,
            "A file of a model",
            query=("signature",),
            needs_key=False,
            media_types=("application/octet-stream",),
        ),
    ),
    format_error=llm_engine_error,
    error_schema=ERROR_SCHEMA,
    prefixes=("/v1/llm/",),
)
