"""Flags of pictures and sounds: the projector, and which files requests may send."""

from pathlib import Path

from server.cli.model_values import hub_url
from server.cli.parser import Flag, Group, Switch
from server.cli.values import MAX_SIZE, existing_folder, int_in_range, names

MEDIA = Group(
    "pictures and sounds",
    "A projector makes embeddings of them for the model; docs/multimodal.md says more.",
    Flag(
        "-mm, --mmproj FILE",
        "mmproj_file",
        Path,
        "projector (mmproj file in GGUF format) for pictures, sounds or both",
        "LLAMA_ARG_MMPROJ",
    ),
    Flag(
        "-mmu, --mmproj-url URL",
        "mmproj_url",
        hub_url,
        "URL of a projector in a Hugging Face repository, as with --model-url",
        "LLAMA_ARG_MMPROJ_URL",
    ),
    Switch(
        "--mmproj-auto, --no-mmproj, --no-mmproj-auto",
        "mmproj_auto",
        "with -hf, take the projector beside the model, if there is one",
        "LLAMA_ARG_MMPROJ_AUTO",
    ),
    Switch(
        "--mmproj-offload, --no-mmproj-offload",
        "offload",
        "compute the projector on a GPU, if there is one",
        "LLAMA_ARG_MMPROJ_OFFLOAD",
    ),
    Flag(
        "-mmdev, --mmproj-device DEVICE",
        "mmproj_device",
        str,
        "GPU that computes the projector, by the name that --list-devices shows; none = the CPU",
        "MTMD_BACKEND_DEVICE",
    ),
    Flag(
        "--image-min-tokens N",
        "image_min_tokens",
        int_in_range(1, MAX_SIZE),
        "minimum number of tokens of a picture, with projectors that take any size",
        "LLAMA_ARG_IMAGE_MIN_TOKENS",
    ),
    Flag(
        "--image-max-tokens N",
        "image_max_tokens",
        int_in_range(1, MAX_SIZE),
        "maximum number of tokens of a picture, with projectors that take any size",
        "LLAMA_ARG_IMAGE_MAX_TOKENS",
    ),
    Flag(
        "--media-path PATH",
        "media_path",
        existing_folder,
        "folder below which requests may name files, as in file://picture.png",
        "LLAMA_ARG_MEDIA_PATH",
    ),
    Flag(
        "--media-url-hosts HOST,...",
        "media_url_hosts",
        names,
        "hosts from which http and https URLs in requests are downloaded; * = all, also those of the local network",
    ),
    Flag("--media-max-pixels N", "max_pixels", int_in_range(1, MAX_SIZE), "maximum width times height of a picture"),
    Flag("--media-max-seconds N", "max_seconds", int_in_range(1, MAX_SIZE), "maximum length of a sound"),
    Flag("--media-max-bytes N", "max_bytes", int_in_range(1, MAX_SIZE), "maximum size of a file"),
)
