"""Flags of the model file: where it comes from and how it is read."""

from pathlib import Path

from server.cli.parser import Flag, Group, Switch
from server.cli.values import hub_repository

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
    Flag("-hft, --hf-token TOKEN", "token", str, "Hugging Face access token", "HF_TOKEN"),
    Switch("--offline", "offline", "use files downloaded earlier, without network access", "LLAMA_ARG_OFFLINE"),
    Flag("-a, --alias NAME", "alias", str, "model name in responses", "LLAMA_ARG_ALIAS"),
    Switch("--mmap, --no-mmap", "mmap", "map the model file into memory instead of reading it", "LLAMA_ARG_MMAP"),
    Switch("--mlock", "mlock", "lock the model in memory, so that it is never swapped out", "LLAMA_ARG_MLOCK"),
)
