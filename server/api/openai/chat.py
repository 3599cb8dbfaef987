"""POST /v1/chat/completions: OpenAI's chats."""

from dataclasses import replace

from starlette.requests import Request

from server.api.openai.chat_request import read_chat_options
from server.api.openai.chat_response import ChatFormatter
from server.api.openai.protocol import ResponseBase
from server.chat.prompt import tokenize_prompt
from server.chat.request import Chat, read_chat
from server.chat.system_prefix import n_system_tokens
from server.chat.system_prompt import read_system_prompt
from server.generation.endpoint import ParsedRequest
from server.generation.prompts import Prompt
from server.http.fields import Fields
from server.state import get_chat_template, get_engine, get_settings, get_state
from slots.errors import PromptTooLong


def read_openai_chat(request: Request, fields: Fields) -> ParsedRequest:
    """Returns what a body asks for. Raises InvalidRequest, which names the field, and ApiError (501) for what is not
    supported."""
    engine, settings, state = get_engine(request), get_settings(request), get_state(request)
    template, own = get_chat_template(request), read_chat(fields, settings.chat_template_kwargs)
    system_prompt = read_system_prompt(fields.get("system_prompt"), engine) or state.system_prompt
    chat = with_system_prompt(own, system_prompt.text)
    prompt = chat.prompt(template, state.tool_format)
    options = read_chat_options(fields, prompt, chat.tools, engine, settings)
    tokens = tokenize_prompt(prompt.text, engine.vocab)
    if len(tokens) > engine.n_ctx_slot and not engine.context_shift:
        raise PromptTooLong(len(tokens), engine.n_ctx_slot, "messages")
    n_system = 0
    if chat is not own:
        n_system = n_system_tokens(chat, tokens, template, settings.chat_template_kwargs, engine.vocab)
    envelope = ResponseBase.new("chatcmpl", settings.alias, engine.fingerprint)
    return options.completion, [Prompt(prompt.text, tokens, n_system)], ChatFormatter(engine.vocab, envelope, options)


def with_system_prompt(chat: Chat, text: str) -> Chat:
    """Returns the chat with a system prompt in front, unless that is empty or it has one of its own."""
    if not text or any(message["role"] == "system" for message in chat.messages):
        return chat
    return replace(chat, messages=({"role": "system", "content": text}, *chat.messages))
