"""POST /api/generate: Ollama's completions, of one message to the model or of a text as it is."""

from collections.abc import Sequence
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from server.api.ollama.go_template import render_go_template
from server.api.ollama.loading import Answer, answer_or_serve, loading_answer
from server.api.ollama.models import check_can_think
from server.api.ollama.protocol import OllamaGenerateBody
from server.api.ollama.response import OllamaFormatter, Part
from server.chat.prompt import tokenize_prompt
from server.chat.tools.output_parser import OutputParser
from server.generation.chat import prepare_chat
from server.generation.endpoint import ParsedRequest
from server.generation.infill_prompt import InfillContext, get_fim_tokens, make_infill_prompt, read_mixed
from server.generation.prompts import Prompt, read_prompts
from server.http.fields import Fields, as_token
from server.state import get_engine, get_settings, get_state
from slots.engine import Engine
from slots.errors import InvalidRequest, PromptTooLong
from slots.llama import Vocab


async def post_generate(request: Request) -> Response:
    """Returns the generated text, or what a request without a prompt gets."""
    return await answer_or_serve(request, read_generate)


def read_generate(request: Request, fields: Fields) -> ParsedRequest | Answer:
    """Returns what a body asks for, or the answer to one without a prompt. Raises InvalidRequest, which names the
    field, and ApiError (501) for what is not supported."""
    engine, settings = get_engine(request), get_settings(request)
    body = OllamaGenerateBody.parse(fields, engine, settings.defaults)
    name = settings.alias if body.model is None else str(body.model)
    if not body.prompt:
        return loading_answer(engine, name, body, Part.text_json)
    _check_combination(body)
    check_can_think(request, name, body.think)
    context = _read_context(body.context, engine)
    is_chat = not (body.raw or body.suffix or body.template)
    if is_chat:
        chat = prepare_chat(request, body.chat(settings.chat_template_kwargs), body, settings.reasoning_format)
        prompt, parser = _after(context, replace(chat.prompt, name="prompt"), engine.vocab), chat.parser()
    else:
        prompt, parser = _after(context, _read_prompt(request, body), engine.vocab), OutputParser(None, None)
    n_top = body.top_logprobs if body.logprobs else None
    formatter = OllamaFormatter(
        name, parser, Part.text_json, engine.vocab, n_top, returns_context=not (body.raw or body.suffix or body.images)
    )
    options = body.replace(n_probs=body.n_logprobs)
    parsed = ParsedRequest(options, [prompt], formatter, body.constraint)
    if is_chat:
        parsed = replace(ParsedRequest.of_chat(options, chat, formatter), prompts=[prompt])
    return replace(parsed, warnings=body.unknown_options(), progress_events=formatter.progress_events)


def _check_combination(body: OllamaGenerateBody) -> None:
    others: tuple[str, ...]
    if body.raw:
        beside, others = "raw, which takes the prompt as it is", ("template", "system", "context", "images")
    elif body.suffix:
        beside, others = "suffix", ("context", "images")
    else:
        beside, others = "images", ("template", "context") if body.images else ()
    for name in others:
        if getattr(body, name):
            raise InvalidRequest(name, f"expected nothing beside {beside}")


def _read_prompt(request: Request, body: OllamaGenerateBody) -> Prompt:
    """Returns the prompt of a text as it is, of one with a suffix, or of a template."""
    engine, settings = get_engine(request), get_settings(request)
    if body.raw:
        system = body.system_prompt or get_state(request).system_prompt
        [prompt] = read_prompts(body.prompt, engine, system.tokens, settings)
        return prompt
    if body.suffix and not body.template:
        prefix, suffix = (read_mixed(name, getattr(body, name), engine.vocab) for name in ("prompt", "suffix"))
        fim = get_fim_tokens(engine.vocab)
        context = InfillContext(prefix, suffix)
        return make_infill_prompt(context, fim, engine, body.n_predict, suffix_first=settings.spm_infill)
    text = render_go_template(
        body.template,
        {
            "System": body.system,
            "Prompt": body.prompt,
            "Suffix": body.suffix,
            "Messages": [
                {"Role": str(each["role"]), "Content": str(each["content"])} for each in body.chat({}).messages
            ],
            "Think": bool(body.think),
            "ThinkLevel": body.think if isinstance(body.think, str) else "",
            "IsThinkSet": body.think is not None,
        },
    )
    return Prompt(text, tokenize_prompt(text, engine.vocab), 0)


def _read_context(values: Sequence[object], engine: Engine) -> tuple[int, ...]:
    if len(values) > engine.n_ctx_slot and not engine.context_shift:
        raise PromptTooLong(len(values), engine.n_ctx_slot, "context")  # before each token is looked at
    return tuple(as_token(f"context[{index}]", value, engine.vocab.n_tokens) for index, value in enumerate(values))


def _after(context: tuple[int, ...], prompt: Prompt, vocab: Vocab) -> Prompt:
    """Returns the prompt after the tokens of a context, which begins with BOS itself if the model wants it."""
    if not context:
        return prompt
    tokens = prompt.tokens[1:] if prompt.tokens[:1] == (vocab.bos,) else prompt.tokens
    return replace(prompt, tokens=context + tokens, n_system=0)
