"""Flags of speculative decoding: where drafts come from, their lengths, and the draft model."""

from pathlib import Path

from server.cli.flags.context import CACHE_TYPES
from server.cli.model_values import MAX_LAYERS, tensor_overrides
from server.cli.parser import Flag, Group, Switch
from server.cli.values import (
    gpu_layers,
    hub_repository,
    int_in_range,
    invalid,
    names,
    one_of,
    probability,
    thread_count,
)
from slots.options import SpecType

SPEC_TYPES: dict[str, SpecType] = {"ngram": "ngram", "ngram-simple": "ngram", "draft-simple": "draft-simple"}
"""By llama.cpp's names, and "ngram" as a shorter one."""


def spec_types(text: str) -> tuple[SpecType, ...]:
    """Returns the types of a list with commas between them; "none" is an empty tuple."""
    given = [name.strip() for name in text.split(",")]
    if given == ["none"]:
        return ()
    if not set(given) <= SPEC_TYPES.keys():
        raise invalid(f"none, or some of {', '.join(SPEC_TYPES)} with commas between them", text)
    return tuple(dict.fromkeys(SPEC_TYPES[name] for name in given))


SPECULATION = Group(
    "speculative decoding",
    "Draft tokens are verified in one step, if that is expected to save time. The output stays the same.",
    Flag(
        "--spec-type TYPE,...",
        "spec_types",
        spec_types,
        "sources of drafts: ngram (or ngram-simple) = what followed the same tokens earlier in the text, "
        "draft-simple = the draft model; of several, the first that has a draft",
        "LLAMA_ARG_SPEC_TYPE",
    ),
    Flag(
        "--spec-ngram-simple-size-n N",
        "ngram_size",
        int_in_range(1, 8),
        "ngram: minimum number of last tokens that have to match",
    ),
    Flag("--spec-ngram-simple-size-m N", "ngram_draft", int_in_range(1, 1024), "ngram: maximum number of draft tokens"),
    Flag(
        "-md, --model-draft, --spec-draft-model FILE",
        "draft_model_file",
        Path,
        "draft model in GGUF format, with the vocabulary of the model; with -hfd, a file in that repository",
        "LLAMA_ARG_SPEC_DRAFT_MODEL",
    ),
    Flag(
        "-hfd, -hfrd, --hf-repo-draft, --spec-draft-hf USER/REPO[:QUANT]",
        "draft_repository",
        hub_repository,
        "Hugging Face repository to load the draft model from",
        "LLAMA_ARG_SPEC_DRAFT_HF_REPO",
    ),
    Flag(
        "--spec-draft-n-max N",
        "draft_n_max",
        int_in_range(1, 1024),
        "draft model: maximum number of draft tokens",
        "LLAMA_ARG_SPEC_DRAFT_N_MAX",
    ),
    Flag(
        "--spec-draft-n-min N",
        "draft_n_min",
        int_in_range(0, 1024),
        "draft model: minimum number of draft tokens; a shorter draft is not used",
        "LLAMA_ARG_SPEC_DRAFT_N_MIN",
    ),
    Flag(
        "--spec-draft-p-min, --draft-p-min P",
        "draft_p_min",
        probability,
        "draft model: minimum probability of a draft token; the draft ends before a less likely one",
        "LLAMA_ARG_SPEC_DRAFT_P_MIN",
    ),
    Flag(
        "-ngld, --gpu-layers-draft, --n-gpu-layers-draft, --spec-draft-ngl N",
        "draft_gpu_layers",
        gpu_layers,
        "number of layers of the draft model in GPU memory: a number, 'auto' or 'all'",
        "LLAMA_ARG_N_GPU_LAYERS_DRAFT",
    ),
    Flag(
        "-devd, --spec-draft-device, --device-draft DEVICE,...",
        "draft_devices",
        names,
        "GPUs for the draft model; none = compute it on the CPU",
    ),
    Flag(
        "-otd, --spec-draft-override-tensor, --override-tensor-draft PATTERN=BUFFER,...",
        "draft_tensor_overrides",
        tensor_overrides,
        "as -ot, for the draft model",
        repeatable=True,
    ),
    Switch(
        "-cmoed, --spec-draft-cpu-moe, --cpu-moe-draft",
        "draft_cpu_moe",
        "as -cmoe, for the draft model",
        "LLAMA_ARG_SPEC_DRAFT_CPU_MOE",
    ),
    Flag(
        "-ncmoed, --spec-draft-n-cpu-moe, --spec-draft-ncmoe, --n-cpu-moe-draft N",
        "draft_n_cpu_moe",
        int_in_range(0, MAX_LAYERS),
        "as -ncmoe, for the draft model",
        "LLAMA_ARG_SPEC_DRAFT_N_CPU_MOE",
    ),
    Flag(
        "-td, --threads-draft, --spec-draft-threads N",
        "draft_threads",
        thread_count,
        "number of CPU threads of the draft model",
    ),
    Flag(
        "-ctkd, --cache-type-k-draft, --spec-draft-type-k TYPE",
        "draft_cache_type_k",
        one_of(*CACHE_TYPES),
        "data type of the keys in the draft model's KV cache",
        "LLAMA_ARG_SPEC_DRAFT_CACHE_TYPE_K",
    ),
    Flag(
        "-ctvd, --cache-type-v-draft, --spec-draft-type-v TYPE",
        "draft_cache_type_v",
        one_of(*CACHE_TYPES),
        "data type of the values in the draft model's KV cache",
        "LLAMA_ARG_SPEC_DRAFT_CACHE_TYPE_V",
    ),
)
