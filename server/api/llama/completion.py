"""POST /completion: the llama-like API."""

from starlette.requests import Request

from server.completion_json import CompletionJson
from server.generation.endpoint import Asked
from server.generation.options import read_options
from server.generation.prompts import read_prompts
from server.http.fields import Fields
from server.state import engine_of, settings_of, state_of


def read_completion(request: Request, fields: Fields) -> Asked:
    """Returns what a body asks for. Raises InvalidRequest, which names the field, and ApiError (501) for an option that
    is not supported."""
    engine, settings, state = engine_of(request), settings_of(request), state_of(request)
    options = read_options(fields, engine, settings.defaults)
    system_prompt = options.system_prompt or state.system_prompt
    prompts = read_prompts(fields.get("prompt"), engine, system_prompt.tokens)
    return options, prompts, CompletionJson(engine.vocab, settings.alias, engine.n_ctx_slot, options)
