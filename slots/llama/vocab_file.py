"""Vocabulary file: the tokens of a model without its weights, for programs that only tokenize."""

import os
from pathlib import Path

import llama_cpp.llama_cpp as lib

from slots.errors import ModelLoadError
from slots.llama.log import forget_errors, last_error
from slots.llama.vocab import Vocab
from slots.llama.weights import Weights


def load_vocab(path: Path) -> Vocab:
    """Returns the vocabulary of a GGUF file, without reading its weights. Raises ModelLoadError."""
    params = lib.llama_model_default_params()
    params.vocab_only = True
    forget_errors()
    handle = lib.llama_model_load_from_file(os.fsencode(path), params)
    if not handle:
        raise ModelLoadError(f"llama.cpp cannot load the vocabulary of {path}: {last_error()}")
    return Vocab(Weights(handle))
