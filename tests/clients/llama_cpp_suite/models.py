"""The models of llama.cpp's tests that need no network: stories260K, and a copy of it that can fill in the middle."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

SHARED_DATA = Path(__file__).parents[4] / "shared" / "data"
STORIES = SHARED_DATA / "stories260K.gguf"
INFILL_TOKENS = {"fim_pre": 3, "fim_suf": 4, "fim_mid": 5}
"""Tokens of single bytes, which the stories do not contain."""


class MissingModelError(Exception):
    """The message is one sentence that says which file is missing."""


def find_models(stories: Path, folder: Path) -> Mapping[str, str]:
    """Returns the paths of the models that are there, by the names that the tests have for them. `stories` is
    stories260K.gguf; what is made of it is written to `folder`. Raises MissingModelError."""
    if not stories.is_file():
        raise MissingModelError(f"{stories} is missing: give the path of stories260K.gguf with --model")
    infill = folder / "stories260K-infill.gguf"
    if not infill.exists():
        _add_infill_tokens(stories, infill)
    return {"ggml-org/test-model-stories260K": str(stories), "ggml-org/test-model-stories260K-infill": str(infill)}


def _add_infill_tokens(model: Path, copy: Path) -> None:
    tokens = [part for name, token in INFILL_TOKENS.items() for part in ("--special-token-by-id", name, str(token))]
    command = [sys.executable, "-m", "gguf.scripts.gguf_new_metadata", *tokens, str(model), str(copy)]
    subprocess.run(command, check=True, capture_output=True)
