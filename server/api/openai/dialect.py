"""OpenAI's dialect."""

from server.api.openai.chat import post_input_tokens, read_chat_completion
from server.api.openai.completions import read_openai_completion
from server.api.openai.errors import ERROR_SCHEMA, openai_error
from server.api.openai.models import get_model, get_models
from server.api.openai.protocol import ChatCompletionRequestBody, OpenAiCompletionRequestBody
from server.generation.endpoint import generation_endpoint
from server.http.dialect import Dialect, Endpoint

_chat = generation_endpoint(read_chat_completion, is_slow=True)
_completion = generation_endpoint(read_openai_completion)

_COUNT = "Count the tokens of a chat's prompt"

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
        Endpoint("/v1/models", get_models, "List the model"),
        Endpoint("/models", get_models, "List the model"),
        Endpoint("/v1/models/{id:path}", get_model, "Describe the model"),
        Endpoint("/models/{id:path}", get_model, "Describe the model"),
    ),
    format_error=openai_error,
    error_schema=ERROR_SCHEMA,
    prefixes=("/v1/", "/models/"),
)
