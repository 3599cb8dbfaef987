"""REFUSED: flags of llama.cpp's server that ask for what this one does not do, each with what to do instead."""

from server.cli.foreign import Refused

NO_TOOLS = "the server runs no tools itself; let the client call them, or an agent"
NO_ROUTER = "one process serves one model; start one for each, for example behind llama-swap"
NO_VECTORS = "control vectors are not supported; leave it out"
REMOVED_MAX = "llama.cpp has removed it; give --spec-draft-n-max, or --spec-ngram-simple-size-m for n-grams"
SYNTHETIC = "it is for benchmarks of llama.cpp; measure with `make bench`, whose drafts are real"
CODER = "--port 8012 -ub 1024 -b 1024 -c 0 --cache-reuse 256"
CODER_DRAFT = "-hfd ggml-org/Qwen2.5-Coder-0.5B-Q8_0-GGUF"
GPT_OSS = "--port 8013 -ub 2048 -b 32768 -np 2 -c 262144 --temp 1 --top-p 1 --top-k 0 --min-p 0.01"


def _preset(name: str, repository: str, flags: str) -> Refused:
    return Refused(f"--{name}", f"it stands for other flags; give -hf ggml-org/{repository} {flags}")


REFUSED = (
    Refused(
        "-nocb, --no-cont-batching",
        "requests are always batched continuously; -np 1 computes one after the other",
        "LLAMA_ARG_NO_CONT_BATCHING",
    ),
    Refused("--no-escape", "escapes in -r and --dry-sequence-breaker are always processed; write \\\\ for a backslash"),
    Refused(
        "--kv-unified-per-slot N",
        "a slot of a unified cache has no limit of its own; without -kvu, -c divided by -np is what each slot has",
        "LLAMA_ARG_KV_UNIFIED_PER_SLOT",
    ),
    Refused("--rpc SERVERS", "other machines cannot take part; leave it out", "LLAMA_ARG_RPC"),
    Refused("--control-vector FILE", NO_VECTORS),
    Refused("--control-vector-scaled FILE:SCALE,...", NO_VECTORS),
    Refused("--control-vector-layer-range START", NO_VECTORS),
    Refused(
        "-dr, --docker-repo REPO",
        "models of Docker Hub are not fetched; download it and give -m, or give -hf",
        "LLAMA_ARG_DOCKER_REPO",
    ),
    Refused("-cl, --cache-list", "`hf cache ls`, which comes with huggingface_hub, lists downloaded models"),
    Refused("--completion-bash", "there is no completion for shells; --help lists all flags"),
    Refused("--log-prompts-dir PATH", "prompts have no files of their own; --log-prompts writes them to the log"),
    Refused("--path PATH", "files are not served; a web server such as nginx does that", "LLAMA_ARG_STATIC_PATH"),
    Refused("--tools TOOL1,TOOL2,...", NO_TOOLS, "LLAMA_ARG_TOOLS"),
    Refused("--tools-runtime OPTION", NO_TOOLS, "LLAMA_ARG_TOOLS_RUNTIME"),
    Refused("--mcp-servers-config PATH", NO_TOOLS, "LLAMA_ARG_MCP_SERVERS_CONFIG"),
    Refused("--mcp-servers-json JSON", NO_TOOLS, "LLAMA_ARG_MCP_SERVERS_JSON"),
    Refused("-ag, --agent", NO_TOOLS, "LLAMA_ARG_AGENT"),
    Refused("--models-dir PATH", NO_ROUTER, "LLAMA_ARG_MODELS_DIR"),
    Refused("--models-preset PATH", NO_ROUTER, "LLAMA_ARG_MODELS_PRESET"),
    Refused(
        "--skip-chat-parsing",
        "tool calls are always parsed; --reasoning-format none leaves reasoning in the content",
        "LLAMA_ARG_SKIP_CHAT_PARSING",
    ),
    Refused(
        "--no-prefill-assistant",
        "an assistant message at the end is always continued; send a user message after it",
        "LLAMA_ARG_NO_PREFILL_ASSISTANT",
    ),
    Refused("--draft, --draft-n, --draft-max N", REMOVED_MAX, "LLAMA_ARG_DRAFT_MAX"),
    Refused("--draft-min, --draft-n-min N", "llama.cpp has removed it; give --spec-draft-n-min", "LLAMA_ARG_DRAFT_MIN"),
    Refused("--spec-ngram-size-n N", "llama.cpp has removed it; give --spec-ngram-simple-size-n"),
    Refused("--spec-ngram-size-m N", "llama.cpp has removed it; give --spec-ngram-simple-size-m"),
    Refused("--spec-ngram-min-hits N", "llama.cpp has removed it; leave it out"),
    Refused("--spec-synth-len L", SYNTHETIC, "LLAMA_ARG_SPEC_SYNTH_LEN"),
    Refused("--spec-synth-rates P0,P1,...", SYNTHETIC, "LLAMA_ARG_SPEC_SYNTH_RATES"),
    Refused("--spec-default", "it stands for other flags; give --spec-type ngram"),
    _preset(
        "embd-gemma-default",
        "embeddinggemma-300M-qat-q4_0-GGUF",
        "--port 8011 -ub 2048 -b 2048 -np 32 -c 65536 --embedding",
    ),
    _preset("fim-qwen-1.5b-default", "Qwen2.5-Coder-1.5B-Q8_0-GGUF", CODER),
    _preset("fim-qwen-3b-default", "Qwen2.5-Coder-3B-Q8_0-GGUF", CODER),
    _preset("fim-qwen-7b-default", "Qwen2.5-Coder-7B-Q8_0-GGUF", CODER),
    _preset("fim-qwen-7b-spec", "Qwen2.5-Coder-7B-Q8_0-GGUF", f"{CODER_DRAFT} {CODER}"),
    _preset("fim-qwen-14b-spec", "Qwen2.5-Coder-14B-Q8_0-GGUF", f"{CODER_DRAFT} {CODER}"),
    _preset("fim-qwen-30b-default", "Qwen3-Coder-30B-A3B-Instruct-Q8_0-GGUF", CODER),
    _preset("gpt-oss-20b-default", "gpt-oss-20b-GGUF", GPT_OSS),
    _preset("gpt-oss-120b-default", "gpt-oss-120b-GGUF", GPT_OSS),
    _preset("vision-gemma-4b-default", "gemma-3-4b-it-qat-GGUF", "--port 8014 -c 0"),
    _preset("vision-gemma-12b-default", "gemma-3-12b-it-qat-GGUF", "--port 8014 -c 0"),
)
