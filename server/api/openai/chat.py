"""POST /v1/chat/completions: OpenAI's chats."""

from starlette.requests import Request

from server.api.openai.chat_response import ChatFormatter
from server.api.openai.protocol import ChatCompletionRequestBody, ResponseBase
from server.generation.chat import prepare_chat
from server.generation.endpoint import ParsedRequest
from server.http.fields import Fields
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
    base = ResponseBase.new("chatcmpl", settings.alias, engine.fingerprint)
    formatter = ChatFormatter(engine.vocab, base, generation, logprobs, body)
    return ParsedRequest.of_chat(body, generation, formatter)
