"""POST /v1/messages, and POST /v1/messages/count_tokens: Anthropic's chats, and how long their prompts are."""

from dataclasses import replace
from functools import partial

from starlette.requests import Request

from server.api.anthropic.content import unshown_blocks
from server.api.anthropic.protocol import MessageFields, MessagesRequestBody
from server.api.anthropic.response import MessageFormatter
from server.generation.chat import prepare_chat
from server.generation.endpoint import ParsedRequest
from server.http.body import read_body
from server.http.fields import Fields
from server.http.json_response import JsonResponse
from server.state import get_engine, get_settings


def read_message_request(request: Request, fields: Fields) -> ParsedRequest:
    """Returns what a body asks for. Raises InvalidRequest, which names the field, and ApiError (501) for what is not
    supported."""
    engine, settings = get_engine(request), get_settings(request)
    body = MessagesRequestBody.parse(fields, engine, settings.defaults).with_thinking_budget()
    name = body.served_name(engine, settings.model_names)
    chat = body.chat(settings.chat_template_kwargs)
    generation = prepare_chat(request, chat, body, settings.reasoning_format)
    # A stream begins with how many tokens the cache held, which the timings of its first token say.
    options = body.replace(timings_per_token=body.stream, n_probs=0)
    formatter = MessageFormatter(name, generation, body.stop)
    parsed = ParsedRequest.of_chat(options, generation, formatter)
    warnings = (*unshown_blocks(fields["messages"]), *parsed.warnings)
    return replace(parsed, warnings=warnings, progress_events=formatter.progress_events)


async def post_count_tokens(request: Request) -> JsonResponse:
    """Returns the number of tokens in the prompt that a chat becomes. Raises what `read_message_request` raises."""
    get_engine(request)  # what a body says does not matter while the model loads
    return JsonResponse({"input_tokens": await read_body(request, partial(_count_tokens, request), is_slow=True)})


def _count_tokens(request: Request, fields: Fields) -> int:
    settings = get_settings(request)
    chat = MessageFields.parse(fields).chat(settings.chat_template_kwargs)
    return len(prepare_chat(request, chat, settings.defaults, settings.reasoning_format).prompt.tokens)
