"""POST /apply-template: the prompt that a chat becomes, for whoever wants to look at it or to send it on."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from server.chat.request import read_chat
from server.http.body import read_body
from server.http.json_response import JsonResponse
from server.state import chat_template_of, settings_of, state_of


async def post_apply_template(request: Request) -> JsonResponse:
    template, defaults = chat_template_of(request), settings_of(request).chat_template_kwargs
    chat = await read_body(request, lambda fields: read_chat(fields, defaults))
    prompt = await run_in_threadpool(chat.prompt, template, state_of(request).tool_format)
    return JsonResponse({"prompt": prompt.text})
