"""POST /tokenize, /detokenize and /apply-template. Detokenizing reverses tokenizing without `add_special`."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from server.api.llama.protocol import ApplyTemplateRequestBody, DetokenizeRequestBody, TokenizeRequestBody
from server.chat.media_parts import media_in
from server.generation.media import name_media, not_supported
from server.http.body import read_body
from server.http.fields import Fields, as_token, naming_field
from server.http.json_response import JsonResponse
from server.state import get_chat_format, get_engine, get_settings
from slots.llama import Vocab


async def post_tokenize(request: Request) -> JsonResponse:
    vocab = get_engine(request).vocab
    return JsonResponse(await read_body(request, lambda fields: _tokenize(fields, vocab)))


async def post_detokenize(request: Request) -> JsonResponse:
    vocab = get_engine(request).vocab
    return JsonResponse(await read_body(request, lambda fields: _detokenize(fields, vocab)))


async def post_apply_template(request: Request) -> JsonResponse:
    chat_format, defaults = get_chat_format(request), get_settings(request).chat_template_kwargs
    chat = await read_body(request, lambda fields: ApplyTemplateRequestBody.parse(fields).chat(defaults))
    engine, parts = get_engine(request), media_in(chat.messages)
    if parts and engine.media is None:
        raise not_supported(parts[0].source)
    prompt = await run_in_threadpool(chat_format.render, chat)
    # The text is for /completion, which adds BOS by itself where the vocabulary wants it.
    text = prompt.text.removeprefix(chat_format.bos) if engine.vocab.add_bos else prompt.text
    return JsonResponse({"prompt": name_media(text, parts, get_settings(request).media_marker)})


def _tokenize(fields: Fields, vocab: Vocab) -> dict[str, object]:
    body = TokenizeRequestBody.parse(fields)
    tokenize = vocab.tokenize if body.add_special else vocab.tokenize_plain  # as a prompt, or as a part of one
    with naming_field("content"):
        tokens = tokenize(body.content, add_special=body.add_special, parse_special=body.parse_special)
    if body.with_pieces:
        return {"tokens": [{"id": token, "piece": _piece(token, vocab)} for token in tokens]}
    return {"tokens": tokens}


def _piece(token: int, vocab: Vocab) -> str | list[int]:
    """The bytes of the token, if they are not text: it may hold only a part of a character."""
    piece = vocab.piece(token)
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return list(piece)


def _detokenize(fields: Fields, vocab: Vocab) -> dict[str, object]:
    values = DetokenizeRequestBody.parse(fields).tokens
    tokens = [as_token(f"tokens[{index}]", value, vocab.n_tokens) for index, value in enumerate(values)]
    return {"content": vocab.display_all(tokens)}
