"""All flags, in groups, spelled as llama.cpp's server spells them."""

from pathlib import Path

from server.engine_flags import CONTEXT, GPU, ROPE
from server.flag_parser import Flag, Group, Switch
from server.flag_values import hub_repository, key_file, keys, sampling, whole

MODEL = Group(
    "model",
    "Without -m or -hf, the model that comes with the program is served.",
    Flag("-m, --model FILE", "model_file", Path, "GGUF file; of a split model, its first file", "LLAMA_ARG_MODEL"),
    Flag(
        "-hf, -hfr, --hf-repo USER/REPO[:QUANT]",
        "repository",
        hub_repository,
        "take the model from the Hugging Face hub; without QUANT, Q4_K_M, else Q8_0, else the first GGUF file",
        "LLAMA_ARG_HF_REPO",
    ),
    Flag("-hff, --hf-file FILE", "hub_file", str, "file in the repository, instead of QUANT", "LLAMA_ARG_HF_FILE"),
    Flag("-hft, --hf-token TOKEN", "token", str, "access token for the hub", "HF_TOKEN"),
    Switch("--offline", "offline", "use what was downloaded before, without the network", "LLAMA_ARG_OFFLINE"),
    Flag(
        "-a, --alias NAME",
        "alias",
        str,
        "name of the model in answers; without it, as given by -m or -hf",
        "LLAMA_ARG_ALIAS",
    ),
    Switch("--mmap, --no-mmap", "mmap", "map the file into memory instead of reading it", "LLAMA_ARG_MMAP"),
    Switch("--mlock", "mlock", "keep the model from being swapped out", "LLAMA_ARG_MLOCK"),
)

SAMPLING = Group(
    "sampling defaults",
    "For what a request leaves out.",
    Flag(
        "-n, --predict, --n-predict N",
        "n_predict",
        whole(-1),
        "most tokens to generate; -1: until the context is full",
        "LLAMA_ARG_N_PREDICT",
    ),
    Flag("--keep N", "n_keep", whole(-1), "tokens of the prompt that stay when the context is full; -1: all"),
    Flag("-s, --seed N", "seed", sampling("seed", int), "seed of the random numbers; -1: a new one each time"),
    Flag(
        "--temp, --temperature N",
        "temperature",
        sampling("temperature", float),
        "how freely tokens are chosen; 0: always the most likely",
        "LLAMA_ARG_TEMPERATURE",
    ),
    Flag("--top-k N", "top_k", sampling("top_k", int), "only the N most likely tokens; 0: all", "LLAMA_ARG_TOP_K"),
    Flag(
        "--top-p N",
        "top_p",
        sampling("top_p", float),
        "only the most likely tokens that together reach this probability; 1: all",
        "LLAMA_ARG_TOP_P",
    ),
    Flag(
        "--min-p N",
        "min_p",
        sampling("min_p", float),
        "only tokens with this share of the best one's probability; 0: all",
        "LLAMA_ARG_MIN_P",
    ),
    Flag(
        "--repeat-last-n N",
        "repeat_last_n",
        sampling("repeat_last_n", int),
        "tokens that the penalties look back on; 0: none, -1: the whole context",
    ),
    Flag(
        "--repeat-penalty N",
        "repeat_penalty",
        sampling("repeat_penalty", float),
        "penalty for repeated tokens; 1: none",
        "LLAMA_ARG_REPEAT_PENALTY",
    ),
    Flag(
        "--presence-penalty N",
        "presence_penalty",
        sampling("presence_penalty", float),
        "penalty for tokens that were there; 0: none",
        "LLAMA_ARG_PRESENCE_PENALTY",
    ),
    Flag(
        "--frequency-penalty N",
        "frequency_penalty",
        sampling("frequency_penalty", float),
        "penalty for each time a token was there; 0: none",
        "LLAMA_ARG_FREQUENCY_PENALTY",
    ),
    Switch("--penalize-nl, --no-penalize-nl", "penalize_nl", "let the repeat penalty touch line breaks"),
    Switch("--ignore-eos", "ignore_eos", "go on where the model would end"),
    Switch(
        "--cache-prompt, --no-cache-prompt",
        "cache_prompt",
        "reuse what was computed of a prompt before",
        "LLAMA_ARG_CACHE_PROMPT",
    ),
)

SERVER = Group(
    "server",
    "",
    Flag("--host HOST", "host", str, "address to listen on; 0.0.0.0: all of this machine's", "LLAMA_ARG_HOST"),
    Flag("--port PORT", "port", whole(0, 65535), "port to listen on; 0: any free one", "LLAMA_ARG_PORT"),
    Flag(
        "--api-key KEY",
        "api_keys",
        keys,
        "key of which requests must bear one; several with commas, or the flag again",
        "LLAMA_API_KEY",
        repeatable=True,
    ),
    Flag("--api-key-file FILE", "file_keys", key_file, "file of keys, one on a line", "LLAMA_ARG_API_KEY_FILE"),
    Switch("--slots, --no-slots", "show_slots", "answer GET /slots", "LLAMA_ARG_ENDPOINT_SLOTS"),
    Flag("--max-queue N", "max_queue", whole(1), "requests that may wait for a slot; one more is refused"),
    Flag("--shutdown-timeout S", "shutdown_timeout", whole(0), "seconds that running requests get when it is stopped"),
    Switch("-v, --verbose, --log-verbose", "verbose", "log every step, and what llama.cpp logs"),
)

GROUPS = (MODEL, CONTEXT, GPU, ROPE, SAMPLING, SERVER)
