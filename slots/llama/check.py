"""Checks that llama.cpp runs on this processor: `python -m slots.llama.check` decodes some tokens of the bundled model.

A wheel in pip's cache may have been compiled for another processor. The process then ends with SIGILL.
"""

from pathlib import Path

import llama_cpp.llama_cpp as lib

MODEL = Path(__file__).parents[2] / "models" / "bundled.gguf"
N_TOKENS = 40
"""Enough for the kernels that multiply matrices with matrices, in whole blocks and with a rest."""


def main() -> None:
    model = lib.llama_model_load_from_file(str(MODEL).encode(), lib.llama_model_default_params())
    assert model, f"llama.cpp cannot load {MODEL}"
    context = lib.llama_init_from_model(model, lib.llama_context_default_params())
    assert context, "llama.cpp cannot make a context"
    tokens = (lib.llama_token * N_TOKENS)(*range(N_TOKENS))
    assert lib.llama_decode(context, lib.llama_batch_get_one(tokens, N_TOKENS)) == 0, "llama.cpp cannot decode"
    lib.llama_free(context)
    lib.llama_model_free(model)


if __name__ == "__main__":
    main()
