"""Default values of the flags as text, for --help and docs/flags.md."""

from dataclasses import MISSING, fields

from server.options.generation_options import GenerationOptions
from server.settings import FineTuneSettings, LogSettings, Settings
from slots.fit import FitOptions
from slots.options import ContextOptions, EngineOptions, MediaOptions, ModelOptions, Placement, SpeculationOptions
from slots.requests.sampling_params import DEFAULT_SAMPLERS, SamplingParams

REQUEST_DEFAULTS = (
    *SamplingParams.model_fields,
    *("n_predict", "n_keep", "cache_prompt", "n_cache_reuse", "n_indent", "t_max_predict_ms", "timings_per_token"),
    *("return_tokens", "verbose", "sse_ping_interval", "stop"),
    *("reasoning_budget_tokens", "reasoning_budget_message"),
)
"""Options of requests whose defaults are set by flags."""

DEFAULTS_OF_LLAMA_SERVER = {"repeat_penalty": 1.0, "infill_streams": False}
"""By destination, what differs when the program is called llama-server: the defaults of llama.cpp's server, where this
API documents others."""

DEFAULT_DESCRIPTIONS = {
    "mmproj_auto": "enabled",
    "image_min_tokens": "as the projector says",
    "image_max_tokens": "as the projector says",
    "aliases": "value of -m or -hf, else bundled",
    "load_mode": "mmap",
    "log_level": "3",
    "tensor_split": "by free memory",
    "pooling": "as the model's header says, else mean",
    "n_gpu_layers": "all",
    "draft_gpu_layers": "all",
    "draft_threads": "same as -t",
    "spec_types": "none; with a draft model draft-simple",
    "samplers": "; ".join(DEFAULT_SAMPLERS),
    "dry_sequence_breakers": " ".join(SamplingParams().dry_sequence_breakers).replace("\n", "\\n"),
}
"""By destination, if the default is computed or needs words of its own."""


def describe_defaults() -> dict[str, str]:
    """Returns the default of each flag that has one, by the flag's destination."""
    defaults = {name: GenerationOptions.model_fields[name].default for name in REQUEST_DEFAULTS}
    engine = (Placement, ModelOptions, ContextOptions, EngineOptions, SpeculationOptions, MediaOptions, FitOptions)
    for options in (*engine, Settings, FineTuneSettings, LogSettings):
        defaults |= {field.name: field.default for field in fields(options)}
    descriptions = {
        name: _describe_default(default) for name, default in defaults.items() if default not in (MISSING, None, (), "")
    }
    return descriptions | DEFAULT_DESCRIPTIONS


def _describe_default(default: object) -> str:
    if isinstance(default, tuple):
        return ", ".join(map(str, default))
    if isinstance(default, bool):
        return "enabled" if default else "disabled"
    return str(default)
