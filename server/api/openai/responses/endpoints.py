"""POST /v1/responses and what belongs to it: the length of a prompt, and responses that the server remembers."""

from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from server.api.openai.responses.formatter import ResponseFormatter, Save
from server.api.openai.responses.items import resolve_references, to_messages
from server.api.openai.responses.protocol import ResponseInputFields, ResponsesRequestBody
from server.api.openai.responses.store import ResponseStore, StoredResponse
from server.chat.messages import Json, Message
from server.generation.chat import prepare_chat
from server.generation.endpoint import ParsedRequest
from server.generation.generation_settings import output_settings_json
from server.generation.result import ResultContext
from server.http.auth import get_api_key
from server.http.body import read_body
from server.http.error_format import use_error_format
from server.http.errors import ApiError
from server.http.fields import Fields, invalid_value
from server.http.json_response import JsonResponse
from server.state import get_engine, get_settings
from slots.errors import InvalidRequest

MAX_LISTED = 100
DEFAULT_LISTED = 20


def read_response_request(request: Request, fields: Fields) -> ParsedRequest:
    """Returns what a body asks for. Raises InvalidRequest, which names the field, and ApiError (501) for what is not
    supported."""
    settings, engine = get_settings(request), get_engine(request)
    body = ResponsesRequestBody.parse(fields, engine, settings.defaults)
    body = body.replace(n_probs=body.logprobs_options().n_probs)
    items, messages, warnings = _read_conversation(request, body)
    generation = prepare_chat(
        request, body.chat(messages, settings.chat_template_kwargs), body, settings.reasoning_format
    )
    is_parsed = generation.tool_format is not None or generation.reasoning_tags is not None
    output_settings = output_settings_json(engine, settings.reasoning_format, is_parsed=is_parsed, stream=body.stream)
    name = body.served_name(engine, settings.model_names)
    context = ResultContext(body, engine.vocab, name, engine.n_ctx_slot, output_settings)
    formatter = ResponseFormatter(context, body, generation, _save(request, items) if body.store else None)
    use_error_format(request, formatter.error_format)
    parsed = ParsedRequest.of_chat(body, generation, formatter)
    warnings = (*body.tools.warnings, *warnings, *parsed.warnings)
    return replace(parsed, warnings=warnings, progress_events=formatter.progress_events)


async def post_input_tokens(request: Request) -> JsonResponse:
    """Returns the number of tokens in the prompt of a response. Raises what `read_response_request` raises."""
    get_engine(request)  # what a body says does not matter while the model loads
    n_tokens = await read_body(request, partial(_count_tokens, request), is_slow=True)
    return JsonResponse({"object": "response.input_tokens", "input_tokens": n_tokens})


async def get_response(request: Request) -> Response:
    """Raises ApiError (404) for a response that is not remembered, and InvalidRequest for a stream: only responses that
    are made in the background have one to go on with."""
    if request.query_params.get("stream", "false").lower() not in ("false", "0", ""):
        raise InvalidRequest("stream", "expected false, since responses are not made in the background")
    return Response(_find(request).body, media_type=JsonResponse.media_type)


async def delete_response(request: Request) -> JsonResponse:
    """Raises ApiError (404) for a response that is not remembered."""
    response_id = _find(request).response_id
    _get_store(request).delete(response_id, get_api_key(request.headers))
    return JsonResponse({"id": response_id, "object": "response", "deleted": True})


async def get_input_items(request: Request) -> JsonResponse:
    """Returns the items that a response answers, those of earlier responses included, a page at a time. Raises ApiError
    (404) for a response that is not remembered, and InvalidRequest for a wrong parameter."""
    items = [_listed(item) for item in _find(request).items]
    order = request.query_params.get("order", "desc")
    if order not in ("asc", "desc"):
        raise invalid_value("order", "asc or desc", order)
    if order == "desc":
        items.reverse()
    start = _after(items, request.query_params.get("after"))
    page = items[start : start + _read_limit(request.query_params.get("limit"))]
    return JsonResponse(
        {
            "object": "list",
            "data": page,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
            "has_more": start + len(page) < len(items),
        }
    )


def _count_tokens(request: Request, fields: Fields) -> int:
    settings = get_settings(request)
    body = ResponseInputFields.parse(fields)
    _, messages, _ = _read_conversation(request, body)
    chat = body.chat(messages, settings.chat_template_kwargs)
    return len(prepare_chat(request, chat, settings.defaults, settings.reasoning_format).prompt.tokens)


def _read_conversation(
    request: Request, body: ResponseInputFields
) -> tuple[tuple[Json, ...], list[Message], tuple[str, ...]]:
    """Returns the items of the whole conversation, its messages, and warnings. Raises ApiError (400) for a previous
    response that is not remembered."""
    store, key = _get_store(request), get_api_key(request.headers)
    known: tuple[Json, ...] = ()
    if body.previous_response_id is not None:
        previous = store.find(body.previous_response_id, key)
        if previous is None:
            message = f"previous_response_id: no response is stored with the id {body.previous_response_id}"
            details = {"code": "previous_response_not_found"}
            raise ApiError(400, message, field="previous_response_id", details=details)
        known = previous.conversation
    items = (*known, *resolve_references(body.input, lambda item_id: store.find_item(item_id, key)))
    messages, warnings = to_messages(body.instructions, items, len(known))
    return items, messages, tuple(warnings)


def _save(request: Request, items: tuple[Json, ...]) -> Save:
    store, key = _get_store(request), get_api_key(request.headers)
    return lambda body, output: store.add(key, body, items, output)


def _find(request: Request) -> StoredResponse:
    response_id = request.path_params["id"]
    stored = _get_store(request).find(response_id, get_api_key(request.headers))
    if stored is None:
        raise ApiError(404, f"no response is stored with the id {response_id}", field="response_id")
    return stored


def _get_store(request: Request) -> ResponseStore:
    store: ResponseStore = request.app.state.responses
    return store


def _listed(item: Json) -> Json:
    """Returns an item as lists have it: the content of a message is a list of parts."""
    content = item.get("content")
    if item["type"] != "message" or not isinstance(content, str):
        return item
    kind = "output_text" if item.get("role") == "assistant" else "input_text"
    return {**item, "content": [{"type": kind, "text": content}]}


def _after(items: list[Json], item_id: str | None) -> int:
    """Returns the index of the item that follows the one with this id."""
    if item_id is None:
        return 0
    for index, item in enumerate(items):
        if item["id"] == item_id:
            return index + 1
    raise invalid_value("after", "the id of an item of this response", item_id)


def _read_limit(value: str | None) -> int:
    limit = DEFAULT_LISTED if value is None else int(value) if value.isascii() and value.isdecimal() else 0
    if not 1 <= limit <= MAX_LISTED:
        raise invalid_value("limit", f"a number from 1 to {MAX_LISTED}", value)
    return limit
