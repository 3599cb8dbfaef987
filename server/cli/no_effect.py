"""NO_EFFECT: flags of llama.cpp's server that are accepted and change nothing, with the reasons."""

from server.cli.foreign import NoEffect

NO_MCP = "the page asks this server alone"
NO_VIDEOS = "videos are not supported"
NO_ROUTER = "one process serves one model"
CPU_PLACEMENT = "the operating system places the threads; taskset, numactl or a container's cpuset limit their CPUs"
PRIORITY = "the process keeps the priority that it is started with, by nice or systemd's Nice="
POLLING = "the threads wait as llama.cpp has it by default"
NGRAMS = "it is an option of a type of n-grams that is not among those of --spec-type"
CHECKPOINTS = "checkpoints are kept where prompts part or end, as long as --cache-ram has room"
COUNTERS = "the timings of a request are in its response, whatever llama.cpp counts"

NO_EFFECT = (
    NoEffect("--jinja", "chat templates are always rendered as Jinja templates", "LLAMA_ARG_JINJA"),
    NoEffect("--no-jinja", "chat templates are always rendered as Jinja templates", "LLAMA_ARG_NO_JINJA"),
    NoEffect("-cb, --cont-batching", "requests are always batched continuously", "LLAMA_ARG_CONT_BATCHING"),
    NoEffect("--threads-http N", "one event loop serves all connections", "LLAMA_ARG_THREADS_HTTP"),
    NoEffect("-sps, --slot-prompt-similarity SIMILARITY", "a slot is chosen by the longest prefix that it holds"),
    NoEffect("--cache-idle-slots", "what idle slots hold stays, or moves to --cache-ram", "LLAMA_ARG_CACHE_IDLE_SLOTS"),
    NoEffect(
        "--no-cache-idle-slots",
        "what idle slots hold stays, or moves to --cache-ram, which 0 disables",
        "LLAMA_ARG_NO_CACHE_IDLE_SLOTS",
    ),
    NoEffect("-ctxcp, --ctx-checkpoints, --swa-checkpoints N", CHECKPOINTS, "LLAMA_ARG_CTX_CHECKPOINTS"),
    NoEffect("-cms, --checkpoint-min-step N", CHECKPOINTS, "LLAMA_ARG_CHECKPOINT_MIN_SPACING_NT"),
    NoEffect("-dt, --defrag-thold N", "llama.cpp does not need it any more", "LLAMA_ARG_DEFRAG_THOLD"),
    NoEffect("--perf", COUNTERS, "LLAMA_ARG_PERF"),
    NoEffect("--no-perf", COUNTERS, "LLAMA_ARG_NO_PERF"),
    NoEffect("-e, --escape", "escapes in -r and --dry-sequence-breaker are always processed"),
    NoEffect("--props", "there is nothing that POST /props could change", "LLAMA_ARG_ENDPOINT_PROPS"),
    NoEffect("--ui-mcp-proxy, --webui-mcp-proxy", NO_MCP, "LLAMA_ARG_UI_MCP_PROXY"),
    NoEffect("--no-ui-mcp-proxy, --no-webui-mcp-proxy", NO_MCP, "LLAMA_ARG_NO_UI_MCP_PROXY"),
    NoEffect("-no-ag, --no-agent", "there are no tools that the server itself runs", "LLAMA_ARG_NO_AGENT"),
    NoEffect("--models-max N", NO_ROUTER, "LLAMA_ARG_MODELS_MAX"),
    NoEffect("--models-autoload", NO_ROUTER, "LLAMA_ARG_MODELS_AUTOLOAD"),
    NoEffect("--no-models-autoload", NO_ROUTER, "LLAMA_ARG_NO_MODELS_AUTOLOAD"),
    NoEffect("--log-colors [on|off|auto]", "the log has no colours", "LLAMA_ARG_LOG_COLORS"),
    NoEffect("--log-prefix", "a line has its level, unless it is information", "LLAMA_ARG_LOG_PREFIX"),
    NoEffect("--no-log-prefix", "a line has its level, unless it is information", "LLAMA_ARG_NO_LOG_PREFIX"),
    NoEffect("--no-skip-chat-parsing", "tool calls and reasoning are parsed", "LLAMA_ARG_NO_SKIP_CHAT_PARSING"),
    NoEffect("--prefill-assistant", "an assistant message at the end is continued", "LLAMA_ARG_PREFILL_ASSISTANT"),
    NoEffect("--mtmd-batch-max-tokens N", "pictures are encoded one by one", "LLAMA_ARG_MTMD_BATCH_MAX_TOKENS"),
    NoEffect("--video-fps N", NO_VIDEOS, "LLAMA_ARG_VIDEO_FPS"),
    NoEffect("--video-timestamp-interval N", NO_VIDEOS, "LLAMA_ARG_VIDEO_TIMESTAMP_INTERVAL"),
    NoEffect("--video-ffmpeg-dir DIR", NO_VIDEOS, "LLAMA_ARG_VIDEO_FFMPEG_DIR"),
    NoEffect("-C, --cpu-mask M", CPU_PLACEMENT),
    NoEffect("-Cr, --cpu-range lo-hi", CPU_PLACEMENT),
    NoEffect("--cpu-strict 0|1", CPU_PLACEMENT),
    NoEffect("--prio N", PRIORITY),
    NoEffect("--poll 0...100", POLLING),
    NoEffect("-Cb, --cpu-mask-batch M", CPU_PLACEMENT),
    NoEffect("-Crb, --cpu-range-batch lo-hi", CPU_PLACEMENT),
    NoEffect("--cpu-strict-batch 0|1", CPU_PLACEMENT),
    NoEffect("--prio-batch N", PRIORITY),
    NoEffect("--poll-batch 0|1", POLLING),
    NoEffect(
        "-tbd, --spec-draft-threads-batch, --threads-batch-draft N", "the draft model has the threads of -td alone"
    ),
    NoEffect("-Cd, --spec-draft-cpu-mask, --cpu-mask-draft M", CPU_PLACEMENT),
    NoEffect("-Crd, --spec-draft-cpu-range, --cpu-range-draft lo-hi", CPU_PLACEMENT),
    NoEffect("--spec-draft-cpu-strict, --cpu-strict-draft 0|1", CPU_PLACEMENT),
    NoEffect("--spec-draft-prio, --prio-draft N", PRIORITY),
    NoEffect("--spec-draft-poll, --poll-draft 0|1", POLLING),
    NoEffect("-Cbd, --spec-draft-cpu-mask-batch, --cpu-mask-batch-draft M", CPU_PLACEMENT),
    NoEffect("--spec-draft-cpu-strict-batch, --cpu-strict-batch-draft 0|1", CPU_PLACEMENT),
    NoEffect("--spec-draft-prio-batch, --prio-batch-draft N", PRIORITY),
    NoEffect("--spec-draft-poll-batch, --poll-batch-draft 0|1", POLLING),
    NoEffect(
        "--spec-draft-p-split, --draft-p-split P", "a draft is one sequence, not a tree", "LLAMA_ARG_SPEC_DRAFT_P_SPLIT"
    ),
    NoEffect(
        "--spec-draft-backend-sampling",
        "the draft model is sampled on the host",
        "LLAMA_ARG_SPEC_DRAFT_BACKEND_SAMPLING",
    ),
    NoEffect(
        "--no-spec-draft-backend-sampling",
        "the draft model is sampled on the host",
        "LLAMA_ARG_NO_SPEC_DRAFT_BACKEND_SAMPLING",
    ),
    NoEffect("--spec-ngram-mod-n-min N", NGRAMS),
    NoEffect("--spec-ngram-mod-n-max N", NGRAMS),
    NoEffect("--spec-ngram-mod-n-match N", NGRAMS),
    NoEffect("--spec-ngram-simple-min-hits N", "the last place where the same tokens occurred counts, were it one"),
    NoEffect("--spec-ngram-map-k-size-n N", NGRAMS),
    NoEffect("--spec-ngram-map-k-size-m N", NGRAMS),
    NoEffect("--spec-ngram-map-k-min-hits N", NGRAMS),
    NoEffect("--spec-ngram-map-k4v-size-n N", NGRAMS),
    NoEffect("--spec-ngram-map-k4v-size-m N", NGRAMS),
    NoEffect("--spec-ngram-map-k4v-min-hits N", NGRAMS),
    NoEffect("-lcs, --lookup-cache-static FILE", "n-grams are those of the text itself, not of a file"),
    NoEffect("-lcd, --lookup-cache-dynamic FILE", "n-grams are those of the text itself, not of a file"),
)
