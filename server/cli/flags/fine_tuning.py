"""Flags of fine-tuning: where files, jobs and adapters are, and what they may take."""

from pathlib import Path

from server.cli.parser import Flag, Group, Switch
from server.cli.values import MAX_SIZE, MAX_THREADS, int_in_range

FINE_TUNING = Group(
    "fine-tuning",
    "",
    Flag(
        "--fine-tune-path DIR",
        "fine_tune_path",
        Path,
        "folder for uploaded files, fine-tuning jobs and the adapters that they make; enables /v1/files, "
        "/v1/llm/fine-tunes and /v1/fine_tuning/jobs",
        "LLAMA_ARG_FINE_TUNE_PATH",
    ),
    Switch(
        "--fine-tune-allow-local",
        "fine_tune_allow_local",
        "fetch training files from URLs that lead to this machine or to private networks, too",
    ),
    Flag(
        "--fine-tune-max-file MIB",
        "fine_tune_max_file_mib",
        int_in_range(1, MAX_SIZE),
        "maximum size of an uploaded or fetched file in MiB",
    ),
    Flag(
        "--fine-tune-max-queue N",
        "fine_tune_max_queue",
        int_in_range(0, MAX_SIZE),
        "maximum number of jobs that wait for the running one; further ones are rejected",
    ),
    Flag(
        "--fine-tune-timeout S",
        "fine_tune_timeout",
        int_in_range(1, MAX_SIZE),
        "seconds after which a running job is ended",
    ),
    Flag(
        "--fine-tune-threads N",
        "fine_tune_threads",
        int_in_range(1, MAX_THREADS),
        "CPU threads of a job, which runs with a low priority beside the server",
    ),
)
