"""POST /v1/completions: OpenAI's completions."""

from dataclasses import replace

from starlette.requests import Request

from server.api.llama.completion import read_completion
from server.api.llama.infill import make_prompt, marks_of, read_mixed
from server.api.openai.completions_json import OpenAiCompletionJson
from server.api.openai.completions_options import read_completions_options
from server.api.openai.errors import note_openai
from server.api.openai.protocol import Envelope
from server.generation.endpoint import Asked
from server.generation.options import CompletionOptions
from server.generation.prompts import Prompt, each_prompt, read_prompts
from server.http.fields import Fields, read_string
from server.infill_prompt import Gap
from server.state import engine_of, settings_of, state_of


def read_openai_completion(request: Request, fields: Fields) -> Asked:
    """Returns what a body asks for. Raises InvalidRequest, which names the field, and ApiError (501) for an option that
    is not supported."""
    engine, settings = engine_of(request), settings_of(request)
    options = read_completions_options(fields, engine, settings.openai_defaults)
    prompts = _read_prompts(request, fields, options.completion)
    envelope = Envelope.new("cmpl", settings.alias, engine.fingerprint)
    return options.completion, prompts, OpenAiCompletionJson(engine.vocab, envelope, options)


def _read_prompts(request: Request, fields: Fields, options: CompletionOptions) -> list[Prompt]:
    """With a suffix, what is asked for is the text between each prompt and it."""
    engine, state = engine_of(request), state_of(request)
    suffix = read_string(fields, "suffix", "")
    if not suffix:
        system_prompt = options.system_prompt or state.system_prompt
        return read_prompts(fields.get("prompt"), engine, system_prompt.tokens)
    marks, behind = marks_of(engine.vocab), read_mixed("suffix", suffix, engine.vocab)

    def read(name: str, prompt: object) -> Prompt:
        gap = Gap(read_mixed(name, prompt, engine.vocab), behind)
        made = make_prompt(gap, marks, engine, options.n_predict, suffix_first=state.settings.spm_infill)
        return replace(made, spelled=prompt) if isinstance(prompt, str) else made

    return [read(name, prompt) for name, prompt in each_prompt(fields.get("prompt"), engine)]


def read_either_completion(request: Request, fields: Fields) -> Asked:
    """Returns what a body asks for at the path that both dialects have: it is OpenAI's if it names a model, as OpenAI's
    clients always do. Raises what the others raise."""
    if fields.get("model") is None:
        return read_completion(request, fields)
    note_openai(request)
    return read_openai_completion(request, fields)
