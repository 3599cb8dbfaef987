"""The options of a completion as answers spell them back."""

from server.settings import CompletionDefaults
from slots.request import CompletionRequest, SamplingParams

NOT_SUPPORTED = {
    "tfs_z": 1.0,
    "typical_p": 1.0,
    "mirostat": 0,
    "mirostat_tau": 5.0,
    "mirostat_eta": 0.1,
    "grammar": "",
}
"""Options of the llama-like API at the values at which they pass."""


def options_json(options: CompletionRequest | CompletionDefaults) -> dict[str, object]:
    """Returns the options by their names, but for those that hold text or tokens of the user's."""
    sampling = options.sampling
    return {
        "seed": sampling.seed,
        "temperature": sampling.temperature,
        "top_k": sampling.top_k,
        "top_p": sampling.top_p,
        "min_p": sampling.min_p,
        "repeat_penalty": sampling.repeat_penalty,
        "repeat_last_n": sampling.repeat_last_n,
        "penalize_nl": sampling.penalize_nl,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "ignore_eos": sampling.ignore_eos,
        "n_probs": sampling.n_probs,
        "n_predict": options.n_predict,
        "max_tokens": options.n_predict,
        "n_keep": options.n_keep,
        "cache_prompt": options.cache_prompt,
        **NOT_SUPPORTED,
    }


def logit_bias_json(sampling: SamplingParams) -> list[dict[str, object]]:
    """Returns the bias of each token; false is the one that rules it out, since JSON has no infinity."""
    return [{"token": token, "bias": bias if bias > -float("inf") else False} for token, bias in sampling.logit_bias]
