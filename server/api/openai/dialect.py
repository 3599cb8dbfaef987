"""OpenAI's dialect."""

from server.api.openai.chat import post_input_tokens, read_chat_completion
from server.api.openai.completions import read_openai_completion
from server.api.openai.errors import ERROR_SCHEMA, openai_error
from server.api.openai.fine_tuning import FINE_TUNING
from server.api.openai.lora_adapters import post_load_adapter, post_unload_adapter
from server.api.openai.models import get_model, get_models
from server.api.openai.protocol import (
    ChatCompletionRequestBody,
    LoadAdapterRequestBody,
    OpenAiCompletionRequestBody,
    UnloadAdapterRequestBody,
)
from server.api.openai.responses.endpoints import (
    delete_response,
    get_input_items,
    get_response,
    read_response_request,
)
from server.api.openai.responses.endpoints import post_input_tokens as post_response_input_tokens
from server.api.openai.responses.protocol import ResponseInputFields, ResponsesRequestBody
from server.generation.endpoint import generation_endpoint
from server.http.dialect import Dialect, Endpoint, as_before

_chat = generation_endpoint(read_chat_completion, is_slow=True)
_completion = generation_endpoint(read_openai_completion)
_response = generation_endpoint(read_response_request, is_slow=True)


def _response_endpoints(path: str) -> tuple[Endpoint, ...]:
    count, fields = "Count the tokens of a response's prompt", ResponseInputFields
    return (
        Endpoint(path, _response, "Answer a conversation", ResponsesRequestBody),
        Endpoint(f"{path}/input_tokens", post_response_input_tokens, count, fields),
        Endpoint(f"{path}/{{id}}", get_response, "Return a stored response", query=("stream",)),
        Endpoint(f"{path}/{{id}}", delete_response, "Forget a response", verb="DELETE"),
        Endpoint(
            f"{path}/{{id}}/input_items",
            get_input_items,
            "List what a stored response answers",
            query=("after", "limit", "order"),
        ),
    )


OPENAI = Dialect(
    name="OpenAI",
    endpoints=(
        Endpoint("/v1/completions", _completion, "Continue a text", OpenAiCompletionRequestBody),
        Endpoint("/v1/chat/completions", _chat, "Answer a chat", ChatCompletionRequestBody),
        Endpoint("/chat/completions", _chat, "Answer a chat", ChatCompletionRequestBody),
        *(
            Endpoint(path, post_input_tokens, "Count the tokens of a chat", ChatCompletionRequestBody)
            for path in ("/v1/chat/completions/input_tokens", "/chat/completions/input_tokens")
        ),
        *_response_endpoints("/v1/responses"),
        *_response_endpoints("/responses"),
        Endpoint("/v1/models", get_models, "List the model", while_asleep=as_before),
        Endpoint("/models", get_models, "List the model", while_asleep=as_before),
        Endpoint("/v1/models/{id:path}", get_model, "Describe the model"),
        Endpoint("/models/{id:path}", get_model, "Describe the model"),
        Endpoint("/v1/load_lora_adapter", post_load_adapter, "Load a LoRA adapter", LoadAdapterRequestBody),
        Endpoint("/v1/unload_lora_adapter", post_unload_adapter, "Unload a LoRA adapter", UnloadAdapterRequestBody),
        *FINE_TUNING,
    ),
    format_error=openai_error,
    error_schema=ERROR_SCHEMA,
    prefixes=("/v1/", "/models/", "/responses/"),
)
