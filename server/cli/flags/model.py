"""Flags of the model file: where it comes from and how it is read."""

from pathlib import Path
from typing import get_args

from server.cli.model_values import hub_url, lora_files, metadata_overrides, scaled_lora_files
from server.cli.parser import Flag, Group, Switch
from server.cli.values import hub_repository, names, one_of
from slots.options import LazyMode, LoadMode, NumaStrategy

LOAD_MODES, LAZY_MODES, NUMA_STRATEGIES = get_args(LoadMode), get_args(LazyMode), get_args(NumaStrategy)

MODEL = Group(
    "model",
    "Without -m or -hf, the bundled model is served.",
    Flag(
        "-m, --model FILE",
        "model_file",
        Path,
        "model file in GGUF format; for a split model, its first file",
        "LLAMA_ARG_MODEL",
    ),
    Flag(
        "-hf, -hfr, --hf-repo USER/REPO[:QUANT]",
        "repository",
        hub_repository,
        "Hugging Face repository to load the model from; without QUANT: Q4_K_M, else Q8_0, else the first GGUF file",
        "LLAMA_ARG_HF_REPO",
    ),
    Flag(
        "-hff, --hf-file FILE",
        "hub_file",
        str,
        "file in the Hugging Face repository, instead of QUANT",
        "LLAMA_ARG_HF_FILE",
    ),
    Flag(
        "-mu, --model-url URL",
        "model_url",
        hub_url,
        "URL of a file in a Hugging Face repository, as in https://huggingface.co/USER/REPO/resolve/main/FILE",
        "LLAMA_ARG_MODEL_URL",
    ),
    Flag("-hft, --hf-token TOKEN", "token", str, "Hugging Face access token", "HF_TOKEN"),
    Switch("--offline", "offline", "use files downloaded earlier, without network access", "LLAMA_ARG_OFFLINE"),
    Flag(
        "-a, --alias NAME,...",
        "aliases",
        names,
        "model name in responses; of several with commas between them, the first in the alphabet, but all are known",
        "LLAMA_ARG_ALIAS",
    ),
    Flag("--tags TAG,...", "tags", names, "tags of the model in GET /v1/models, for clients", "LLAMA_ARG_TAGS"),
    Flag(
        "--lora FILE,...",
        "lora",
        lora_files,
        "LoRA adapters in GGUF format that requests may choose, and that apply to those that do not; may be repeated",
        repeatable=True,
    ),
    Flag(
        "--lora-scaled FILE:SCALE,...",
        "lora",
        scaled_lora_files,
        "the same with scales other than 1",
        repeatable=True,
    ),
    Switch(
        "--lora-init-without-apply",
        "lora_init_without_apply",
        "apply these adapters only to requests that choose them, until POST /lora-adapters says otherwise",
    ),
    Switch(
        "--allow-runtime-lora-updating",
        "allow_lora_updates",
        "let requests load LoRA adapters from files of this machine, and unload them: /v1/load_lora_adapter",
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING",
    ),
    Switch("--mmap, --no-mmap", "mmap", "map the model file into memory instead of reading it", "LLAMA_ARG_MMAP"),
    Switch("--mlock", "mlock", "lock the model in memory, so that it is never swapped out", "LLAMA_ARG_MLOCK"),
    Flag(
        "-lm, --load-mode MODE",
        "load_mode",
        one_of(*LOAD_MODES),
        f"how to read the model file, instead of these two: {', '.join(LOAD_MODES)}; dio = without the page cache",
        "LLAMA_ARG_LOAD_MODE",
    ),
    Flag(
        "-lzm, --lazy-mode MODE",
        "lazy_mode",
        one_of(*LAZY_MODES),
        "read rows of tables such as per-layer embeddings from the file when they are needed: off, on, or auto = of "
        "tables above 4 GiB",
        "LLAMA_ARG_LAZY_MODE",
    ),
    Switch(
        "--repack, -nr, --no-repack",
        "repack",
        "arrange weights as the fastest kernels of the CPU want them",
        "LLAMA_ARG_REPACK",
        off_names=("-nr", "--no-repack"),
    ),
    Switch("--check-tensors", "check_tensors", "refuse a file whose weights are not finite numbers"),
    Flag(
        "--override-kv KEY=TYPE:VALUE,...",
        "metadata_overrides",
        metadata_overrides,
        "replace values of the header when llama.cpp reads it; types are int, float, bool and str; may be repeated",
        repeatable=True,
    ),
    Flag(
        "--numa TYPE",
        "numa",
        one_of(*NUMA_STRATEGIES),
        f"how threads are placed on the nodes of a NUMA machine: {', '.join(NUMA_STRATEGIES)}",
        "LLAMA_ARG_NUMA",
    ),
)
