"""The flags of what a request leaves out, but for the samplers'."""

from server.cli.parser import Flag, Group, Switch
from server.cli.values import MAX_SIZE, whole
from server.sampling_values import sampling

COMPLETION = Group(
    "completion defaults",
    "For what a request leaves out.",
    Flag(
        "-n, --predict, --n-predict N",
        "n_predict",
        whole(-1),
        "most tokens to generate; -1: until the context is full",
        "LLAMA_ARG_N_PREDICT",
    ),
    Flag("--keep N", "n_keep", whole(-1), "tokens of the prompt that stay when the context is full; -1: all"),
    Switch(
        "--cache-prompt, --no-cache-prompt",
        "cache_prompt",
        "reuse what was computed of a prompt before",
        "LLAMA_ARG_CACHE_PROMPT",
    ),
    Flag(
        "--cache-reuse N",
        "n_cache_reuse",
        whole(0, MAX_SIZE),
        "fewest tokens of a chunk behind a changed part that is moved instead of computed; 0: none is",
        "LLAMA_ARG_CACHE_REUSE",
    ),
    Switch("--ignore-eos", "ignore_eos", "go on where the model would end"),
    Flag("--n-indent N", "n_indent", whole(0, MAX_SIZE), "end at a line that is indented less than this; 0: off"),
    Flag(
        "--t-max-predict-ms N",
        "t_max_predict_ms",
        whole(-1, MAX_SIZE),
        "milliseconds after which the next line end ends the text; 0: off",
    ),
    Flag("--n-probs N", "n_probs", sampling("n_probs"), "tell the N most likely tokens of each position; 0: off"),
    Switch("--post-sampling-probs", "post_sampling_probs", "tell them as the samplers leave them"),
    Switch("--return-tokens", "return_tokens", "tell the ids of the tokens"),
    Switch("--timings-per-token", "timings_per_token", "tell counts and durations with each streamed token"),
)
