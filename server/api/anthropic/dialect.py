"""Anthropic's dialect."""

from server.api.anthropic.errors import ERROR_SCHEMA, anthropic_error
from server.api.anthropic.messages import post_count_tokens, read_message_request
from server.api.anthropic.protocol import MessageFields, MessagesRequestBody
from server.generation.endpoint import generation_endpoint
from server.http.dialect import Dialect, Endpoint

_messages = generation_endpoint(read_message_request, is_slow=True)

ANTHROPIC = Dialect(
    name="Anthropic",
    endpoints=(
        Endpoint("/v1/messages", _messages, "Answer a chat", MessagesRequestBody),
        Endpoint("/v1/messages/count_tokens", post_count_tokens, "Count the tokens of a chat", MessageFields),
    ),
    format_error=anthropic_error,
    error_schema=ERROR_SCHEMA,
    prefixes=("/v1/messages",),
)
