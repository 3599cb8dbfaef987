"""Header report: the block of text that the server prints about its model at the start."""

import textwrap

from models.header import Header, SpecialToken
from models.units import human_count, human_size

WIDTH = 80
LABEL_WIDTH = 16
MAX_CHARACTERS = 100
"""Of one text from the header."""
KEPT_SPACE = "\xa0"
"""A space at which no line is broken; printed as an ordinary one."""

TEMPLATE_FAMILIES = (
    ("<|im_start|>", "ChatML-like"),
    ("<|start_header_id|>", "Llama 3-like"),
    ("<|header_start|>", "Llama 4-like"),
    ("<start_of_turn>", "Gemma-like"),
    ("<|START_OF_TURN_TOKEN|>", "Command R-like"),
    ("<|channel|>", "gpt-oss-like"),
    ("<｜Assistant｜>", "DeepSeek-like"),
    ("<|assistant|>", "Phi- or Zephyr-like"),
    ("[INST]", "Mistral- or Llama 2-like"),
    ("### Instruction", "Alpaca-like"),
    ("ASSISTANT:", "Vicuna-like"),
)
"""Texts that only templates of one family contain; the first that occurs decides."""


def format_report(header: Header) -> str:
    """Returns lines of at most WIDTH characters, with the labels in one column, and no line break at the end."""
    rows = (
        ("model", _model(header)),
        ("file", _file(header)),
        ("architecture", _architecture(header)),
        ("context", _tokens(header.n_ctx_train, "tokens in training")),
        ("vocabulary", _tokens(header.n_vocab, f"tokens, {_short(header.tokenizer or 'unknown')} tokenizer")),
        ("chat template", _template(header.chat_template)),
        ("special tokens", _special_tokens(header.special_tokens)),
    )
    return "\n".join(format_row(label, text) for label, text in rows)


def format_row(label: str, text: str) -> str:
    indent = " " * LABEL_WIDTH
    filled = textwrap.fill(text, WIDTH, initial_indent=label.ljust(LABEL_WIDTH), subsequent_indent=indent)
    return filled.replace(KEPT_SPACE, " ")


def _model(header: Header) -> str:
    about = [header.name or "without a name", header.size_label]
    return _short(" ".join(part for part in about if part))


def _file(header: Header) -> str:
    size = human_size(header.n_bytes)
    if header.n_parts > 1:
        size += f" in {header.n_parts} files"
    return f"{_printable(str(header.path))}, {size}"


def _architecture(header: Header) -> str:
    parts = [_short(header.architecture), f"{human_count(header.n_parameters)} parameters"]
    if header.file_type is not None:
        parts.append(header.file_type)
    counts = ((header.n_layer, "layers"), (header.n_head, "heads"), (header.n_embd, "wide"))
    parts.extend(f"{count:,} {what}" for count, what in counts if count is not None)
    return ", ".join(parts)


def _tokens(count: int | None, what: str) -> str:
    return f"{count:,} {what}" if count is not None else f"unknown number of {what}"


def _template(template: str | None) -> str:
    if template is None:
        return "none"
    family = next((family for mark, family in TEMPLATE_FAMILIES if mark in template), "of its own kind")
    return f"{family}, {len(template):,} characters"


def _special_tokens(tokens: tuple[SpecialToken, ...]) -> str:
    # One token often has several roles, and is then shown once.
    roles: dict[tuple[int, str | None], list[str]] = {}
    for token in tokens:
        roles.setdefault((token.token, token.text), []).append(token.name)
    entries = (f"{'/'.join(names)} {number} {_token_text(text)}" for (number, text), names in roles.items())
    return ", ".join(each.replace(" ", KEPT_SPACE) for each in entries) or "none"


def _token_text(text: str | None) -> str:
    return "not in the vocabulary" if text is None else _short(text)


def _short(text: str) -> str:
    return _printable(text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS] + "...")


def _printable(text: str) -> str:
    """Escapes what cannot be printed: a header can hold anything, and a terminal obeys control characters."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
