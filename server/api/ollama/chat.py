"""POST /api/chat: Ollama's chats."""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from server.api.ollama.loading import Answer, answer_or_serve, loading_answer
from server.api.ollama.models import check_can_think
from server.api.ollama.protocol import OllamaChatBody
from server.api.ollama.response import OllamaFormatter, Part
from server.api.ollama.truncation import without_oldest_turns
from server.chat.request import Chat
from server.generation.chat import ChatGeneration, prepare_chat
from server.generation.endpoint import ParsedRequest
from server.http.fields import Fields
from server.state import get_engine, get_settings


async def post_chat(request: Request) -> Response:
    """Returns the answer to a chat, or what a request without messages gets."""
    return await answer_or_serve(request, read_chat)


def read_chat(request: Request, fields: Fields) -> ParsedRequest | Answer:
    """Returns what a body asks for, or the answer to one without messages. Raises InvalidRequest, which names the
    field, and ApiError (501) for what is not supported."""
    engine, settings = get_engine(request), get_settings(request)
    body = OllamaChatBody.parse(fields, engine, settings.defaults)
    name = settings.alias if body.model is None else str(body.model)
    if not body.messages:
        return loading_answer(engine, name, body, Part.message_json)
    check_can_think(request, name, body.think)
    chat, reasoning_format = body.chat(settings.chat_template_kwargs), settings.reasoning_format

    def prepare(some: Chat) -> ChatGeneration:
        return prepare_chat(request, some, body, reasoning_format)

    generation = prepare(chat)
    if body.truncate and len(generation.prompt.tokens) > engine.n_ctx_slot:
        generation = without_oldest_turns(chat, prepare, engine.n_ctx_slot)
    n_top = body.top_logprobs if body.logprobs else None
    formatter = OllamaFormatter(name, generation.parser(), Part.message_json, engine.vocab, n_top)
    parsed = ParsedRequest.of_chat(body.replace(n_probs=body.n_logprobs), generation, formatter)
    warnings = (*body.unknown_options(), *parsed.warnings)
    return replace(parsed, warnings=warnings, progress_events=formatter.progress_events)
