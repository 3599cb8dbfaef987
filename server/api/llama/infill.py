"""POST /infill: the text between a prefix and a suffix, for code editors."""

from starlette.requests import Request

from server.api.llama.completion import CompletionFormatter
from server.api.llama.protocol import InfillRequestBody
from server.generation.endpoint import ParsedRequest
from server.generation.generation_settings import output_settings_json
from server.generation.infill_prompt import (
    InfillContext,
    extra_tokens,
    get_fim_tokens,
    make_infill_prompt,
    read_mixed,
    tokenize_file,
)
from server.http.fields import Fields
from server.state import get_engine, get_settings


def read_infill(request: Request, fields: Fields) -> ParsedRequest:
    """Returns what a body asks for. Raises InvalidRequest, which names the field, and ApiError (501) for an option that
    is not supported and for a model without the tokens for it."""
    engine, settings = get_engine(request), get_settings(request)
    vocab = engine.vocab
    fim = get_fim_tokens(vocab)
    body = InfillRequestBody.parse({"stream": settings.infill_streams, **fields}, engine, settings.defaults)
    context = InfillContext(
        prefix=read_mixed("input_prefix", body.input_prefix, vocab),
        suffix=read_mixed("input_suffix", body.input_suffix, vocab),
        middle_start=tokenize_file("prompt", body.prompt, vocab),
        extra=extra_tokens(body.input_extra, vocab),
    )
    prompt = make_infill_prompt(context, fim, engine, body.n_predict, suffix_first=settings.spm_infill)
    name = body.served_name(engine, settings.model_names)
    output_settings = output_settings_json(engine, settings.reasoning_format)
    formatter = CompletionFormatter(vocab, name, engine.n_ctx_slot, body, output_settings)
    return ParsedRequest(body, [prompt], formatter, body.constraint, progress_events=formatter.progress_events)
