"""POST /tokenize and POST /detokenize. One gives back what the other was given, for any text."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from server.chat.request import read_chat
from server.http.body import read_body
from server.http.fields import Fields, as_string, as_token, invalid_value, naming_field, read_boolean
from server.http.json_response import JsonResponse
from server.state import get_chat_template, get_engine, get_settings, get_state
from slots.llama import Vocab


async def post_tokenize(request: Request) -> JsonResponse:
    vocab = get_engine(request).vocab
    return JsonResponse(await read_body(request, lambda fields: _tokenize(fields, vocab)))


async def post_detokenize(request: Request) -> JsonResponse:
    vocab = get_engine(request).vocab
    return JsonResponse(await read_body(request, lambda fields: _detokenize(fields, vocab)))


def _tokenize(fields: Fields, vocab: Vocab) -> dict[str, object]:
    with naming_field("content"):
        tokens = vocab.tokenize_plain(
            as_string("content", fields.get("content")),
            add_special=read_boolean(fields, "add_special", False),
            parse_special=read_boolean(fields, "parse_special", True),
        )
    if read_boolean(fields, "with_pieces", False):
        return {"tokens": [{"id": token, "piece": _piece(token, vocab)} for token in tokens]}
    return {"tokens": tokens}


def _piece(token: int, vocab: Vocab) -> str | list[int]:
    """A token may hold only a part of a character; its bytes then stand for it."""
    piece = vocab.piece(token)
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return list(piece)


def _detokenize(fields: Fields, vocab: Vocab) -> dict[str, object]:
    value = fields.get("tokens")
    if not isinstance(value, list):
        raise invalid_value("tokens", "a list of token ids", value)
    tokens = [as_token(f"tokens[{index}]", token, vocab.n_tokens) for index, token in enumerate(value)]
    return {"content": vocab.display_all(tokens)}


async def post_apply_template(request: Request) -> JsonResponse:
    template, defaults = get_chat_template(request), get_settings(request).chat_template_kwargs
    chat = await read_body(request, lambda fields: read_chat(fields, defaults))
    prompt = await run_in_threadpool(chat.prompt, template, get_state(request).tool_format)
    return JsonResponse({"prompt": prompt.text})
