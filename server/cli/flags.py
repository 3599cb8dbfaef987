"""All flags, in groups, spelled as llama.cpp's server spells them."""

from pathlib import Path

from server.cli.chat_flags import CHAT
from server.cli.engine_flags import CACHE, CONTEXT, EMBEDDING, GPU, ROPE
from server.cli.parser import Flag, Group, Switch
from server.cli.sampling_flags import COMPLETION, CONSTRAINT, REPETITION, SAMPLING
from server.cli.speculation_flags import SPECULATION
from server.cli.values import api_key_file, api_keys, hub_repository, int_in_range

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

SERVER = Group(
    "server",
    "",
    Flag("--host HOST", "host", str, "address to listen on; 0.0.0.0: all of this machine's", "LLAMA_ARG_HOST"),
    Flag("--port PORT", "port", int_in_range(0, 65535), "port to listen on; 0: any free one", "LLAMA_ARG_PORT"),
    Flag(
        "--api-key KEY",
        "api_keys",
        api_keys,
        "key of which requests must bear one; several with commas, or the flag again",
        "LLAMA_API_KEY",
        repeatable=True,
    ),
    Flag("--api-key-file FILE", "file_keys", api_key_file, "file of keys, one on a line", "LLAMA_ARG_API_KEY_FILE"),
    Switch("--slots, --no-slots", "show_slots", "answer GET /slots", "LLAMA_ARG_ENDPOINT_SLOTS"),
    Switch("--slots-prompts", "show_prompts", "show everybody's prompts in GET /slots, not only each session its own"),
    Switch("--spm-infill", "spm_infill", "POST /infill puts the suffix before the prefix, as some models expect it"),
    Flag("--max-queue N", "max_queue", int_in_range(1), "requests that may wait for a slot; one more is refused"),
    Flag(
        "--shutdown-timeout S",
        "shutdown_timeout",
        int_in_range(0),
        "seconds that running requests get when it is stopped",
    ),
    Switch("-v, --verbose, --log-verbose", "verbose", "log every step, and what llama.cpp logs"),
)

GROUPS = (
    MODEL,
    CONTEXT,
    CACHE,
    SPECULATION,
    GPU,
    ROPE,
    COMPLETION,
    CHAT,
    CONSTRAINT,
    SAMPLING,
    REPETITION,
    EMBEDDING,
    SERVER,
)
