"""The flags of tokens that are guessed ahead."""

from pathlib import Path

from server.cli.engine_flags import CACHE_TYPES
from server.cli.parser import Flag, Group
from server.cli.values import gpu_layers, hub_repository, int_in_range, invalid, one_of, probability, thread_count
from slots.options import SpecType

SPEC_TYPES: dict[str, SpecType] = {"ngram": "ngram", "ngram-simple": "ngram", "draft-simple": "draft-simple"}
"""By llama.cpp's names, and a shorter one."""


def spec_types(text: str) -> tuple[SpecType, ...]:
    """Returns the types of a list with commas between them; "none" is an empty one."""
    names = [name.strip() for name in text.split(",")]
    if names == ["none"]:
        return ()
    if not set(names) <= SPEC_TYPES.keys():
        raise invalid(f"none, or some of {', '.join(SPEC_TYPES)} with commas between them", text)
    return tuple(dict.fromkeys(SPEC_TYPES[name] for name in names))


SPECULATION = Group(
    "speculative decoding",
    "Tokens are guessed ahead and computed in one step, where that pays. No text changes by it.",
    Flag(
        "--spec-type TYPE,...",
        "spec_types",
        spec_types,
        "where guesses come from: ngram (or ngram-simple), what followed the same tokens before; draft-simple, the "
        "draft model. Of several, the first that has one",
        "LLAMA_ARG_SPEC_TYPE",
    ),
    Flag(
        "--spec-ngram-simple-size-n N",
        "ngram_size",
        int_in_range(1, 8),
        "fewest tokens that stand there as at the end",
    ),
    Flag("--spec-ngram-simple-size-m N", "ngram_draft", int_in_range(1, 1024), "most tokens that are taken from there"),
    Flag(
        "-md, --model-draft, --spec-draft-model FILE",
        "draft_model_file",
        Path,
        "GGUF file of a smaller model with the same vocabulary; with -hfd, a file in that repository",
        "LLAMA_ARG_SPEC_DRAFT_MODEL",
    ),
    Flag(
        "-hfd, -hfrd, --hf-repo-draft, --spec-draft-hf USER/REPO[:QUANT]",
        "draft_repository",
        hub_repository,
        "take the draft model from the Hugging Face hub",
        "LLAMA_ARG_SPEC_DRAFT_HF_REPO",
    ),
    Flag(
        "--spec-draft-n-max N",
        "draft_n_max",
        int_in_range(1, 1024),
        "most tokens that the draft model guesses at once",
        "LLAMA_ARG_SPEC_DRAFT_N_MAX",
    ),
    Flag(
        "--spec-draft-n-min N",
        "draft_n_min",
        int_in_range(0, 1024),
        "fewest; what it guesses is not used where it is less",
        "LLAMA_ARG_SPEC_DRAFT_N_MIN",
    ),
    Flag(
        "--spec-draft-p-min, --draft-p-min P",
        "draft_p_min",
        probability,
        "the draft model stops where its likeliest token is less likely",
        "LLAMA_ARG_SPEC_DRAFT_P_MIN",
    ),
    Flag(
        "-ngld, --gpu-layers-draft, --n-gpu-layers-draft, --spec-draft-ngl N",
        "draft_gpu_layers",
        gpu_layers,
        "layers of the draft model held in GPU memory: a number, 'auto' or 'all'",
        "LLAMA_ARG_N_GPU_LAYERS_DRAFT",
    ),
    Flag(
        "-td, --threads-draft, --spec-draft-threads N",
        "draft_threads",
        thread_count,
        "CPU threads of the draft model; without it, as many as -t",
    ),
    Flag(
        "-ctkd, --cache-type-k-draft, --spec-draft-type-k TYPE",
        "draft_cache_type_k",
        one_of(*CACHE_TYPES),
        "type of the keys in its KV cache",
        "LLAMA_ARG_SPEC_DRAFT_CACHE_TYPE_K",
    ),
    Flag(
        "-ctvd, --cache-type-v-draft, --spec-draft-type-v TYPE",
        "draft_cache_type_v",
        one_of(*CACHE_TYPES),
        "type of the values in its KV cache",
        "LLAMA_ARG_SPEC_DRAFT_CACHE_TYPE_V",
    ),
)
