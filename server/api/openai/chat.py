"""POST /v1/chat/completions, and POST /v1/chat/completions/input_tokens: OpenAI's chats, and how long their prompts
are."""

from dataclasses import replace
from functools import partial

from starlette.requests import Request

from server.api.openai.chat_response import ChatFormatter
from server.api.openai.protocol import ChatCompletionRequestBody, ResponseBase
from server.generation.chat import prepare_chat
from server.generation.endpoint import ParsedRequest
from server.generation.generation_settings import output_settings_json
from server.generation.result import ResultContext
from server.http.body import read_body
from server.http.fields import Fields
from server.http.json_response import JsonResponse
from server.state import get_engine, get_state


def read_chat_completion(request: Request, fields: Fields) -> ParsedRequest:
    """Returns what a body asks for. Raises InvalidRequest, which names the field, and ApiError (501) for what is not
    supported."""
    state, engine = get_state(request), get_engine(request)
    settings = state.settings
    body = ChatCompletionRequestBody.parse(fields, engine, settings.defaults)
    logprobs = body.logprobs_options()
    body = body.replace(n_probs=logprobs.n_probs)
    chat = body.chat(settings.chat_template_kwargs)
    reasoning_format = body.reasoning_format or settings.reasoning_format
    generation = prepare_chat(request, chat, body, reasoning_format)
    name = body.served_name(engine, settings.model_names)
    base = ResponseBase.new("chatcmpl", name, engine.fingerprint)
    is_parsed = bool(generation.tool_format or generation.reasoning_tags or generation.content_tags)
    output_settings = output_settings_json(engine, reasoning_format, is_parsed=is_parsed, stream=body.stream)
    context = ResultContext(body, engine.vocab, name, engine.n_ctx_slot, output_settings)
    formatter = ChatFormatter(context, base, generation, logprobs, body, reasoning_format=reasoning_format)
    return replace(ParsedRequest.of_chat(body, generation, formatter), progress_events=formatter.progress_events)


async def post_input_tokens(request: Request) -> JsonResponse:
    """Returns the number of tokens in the prompt that a chat becomes. Raises what `read_chat_completion` raises."""
    get_engine(request)  # what a body says does not matter while the model loads
    parsed = await read_body(request, partial(read_chat_completion, request), is_slow=True)
    [prompt] = parsed.prompts
    return JsonResponse({"object": "response.input_tokens", "input_tokens": len(prompt.tokens)})
