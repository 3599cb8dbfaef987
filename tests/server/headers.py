"""A header of a model, for tests without a model."""

from pathlib import Path

from models.header import Header

HEADER = Header(
    path=Path("models/tiny.gguf"),
    architecture="llama",
    name="Tiny",
    size_label=None,
    file_type=None,
    n_parameters=1,
    n_bytes=1,
    n_parts=1,
    n_ctx_train=2048,
    n_embd=None,
    n_layer=None,
    n_head=None,
    n_vocab=None,
    tokenizer=None,
    chat_template="<|im_start|>",
    special_tokens=(),
)
