from dataclasses import replace
from pathlib import Path

import pytest

from models.header import Header, SpecialToken
from models.report import format_report

HEADER = Header(
    path=Path("models/tiny.gguf"),
    architecture="llama",
    name="Tiny",
    size_label="4M",
    file_type="Q8_0",
    n_parameters=4_123_456,
    n_bytes=4_400_000,
    n_parts=1,
    n_ctx_train=2048,
    n_embd=256,
    n_layer=6,
    n_head=8,
    n_vocab=4096,
    tokenizer="gpt2",
    chat_template="<|im_start|>" + "x" * 300,
    special_tokens=(SpecialToken("bos", 1, "<s>"), SpecialToken("eos", 2, "<|im_end|>")),
)

UNKNOWN = replace(
    HEADER,
    name=None,
    size_label=None,
    file_type=None,
    n_ctx_train=None,
    n_embd=None,
    n_layer=None,
    n_head=None,
    n_vocab=None,
    tokenizer=None,
    chat_template=None,
    special_tokens=(),
)


def test_a_header_is_shown_as_one_aligned_block() -> None:
    assert format_report(HEADER).splitlines() == [
        "model           Tiny 4M",
        "file            models/tiny.gguf, 4.4 MB",
        "architecture    llama, 4.1 M parameters, Q8_0, 6 layers, 8 heads, 256 wide",
        "context         2,048 tokens in training",
        "vocabulary      4,096 tokens, gpt2 tokenizer",
        "chat template   ChatML-like, 312 characters",
        "special tokens  bos 1 <s>, eos 2 <|im_end|>",
    ]


def test_what_a_header_does_not_say_is_said_to_be_unknown() -> None:
    assert format_report(UNKNOWN).splitlines() == [
        "model           without a name",
        "file            models/tiny.gguf, 4.4 MB",
        "architecture    llama, 4.1 M parameters",
        "context         unknown number of tokens in training",
        "vocabulary      unknown number of tokens, unknown tokenizer",
        "chat template   none",
        "special tokens  none",
    ]


def test_a_split_model_tells_its_number_of_files() -> None:
    assert "4.4 MB in 3 files" in format_report(replace(HEADER, n_parts=3))


@pytest.mark.parametrize(
    ("template", "family"),
    [
        ("{{ '<|start_header_id|>' }}", "Llama 3-like, 27 characters"),
        ("[INST] {{ content }} [/INST]", "Mistral- or Llama 2-like, 28 characters"),
        ("{{ content }}", "of its own kind, 13 characters"),
    ],
)
def test_a_template_is_called_by_its_family(template: str, family: str) -> None:
    assert f"chat template   {family}\n" in format_report(replace(HEADER, chat_template=template))


def test_no_line_is_longer_than_80_characters() -> None:
    tokens = tuple(SpecialToken(f"token {number}", number, f"<|token_{number}|>") for number in range(20))
    path = Path("/" + "/".join(["directory"] * 20) + "/tiny.gguf")
    report = format_report(replace(HEADER, name="long " * 40, path=path, special_tokens=tokens))
    assert max(map(len, report.splitlines())) <= 80


def test_a_name_without_end_is_cut() -> None:
    assert f"{'a' * 60}" in format_report(replace(HEADER, name="a" * 10**6))
    assert len(format_report(replace(HEADER, name="a" * 10**6))) < 1000


def test_no_character_of_a_header_reaches_the_terminal_as_a_command() -> None:
    report = format_report(replace(HEADER, name="\x1b[2Jgone\n", architecture="\x07", tokenizer="\r"))
    assert "\\x1b[2Jgone\\n" in report
    assert report.replace("\n", "").isprintable()


def test_a_token_with_several_roles_is_shown_once() -> None:
    tokens = (SpecialToken("bos", 7, "<|end|>"), SpecialToken("eot", 8, "<|x|>"), SpecialToken("eos", 7, "<|end|>"))
    report = format_report(replace(HEADER, special_tokens=tokens))
    assert report.endswith("special tokens  bos/eos 7 <|end|>, eot 8 <|x|>")


def test_a_special_token_outside_the_vocabulary_is_shown_as_such() -> None:
    tokens = (SpecialToken("bos", 9999, None),)
    assert "bos 9999 not in the vocabulary" in format_report(replace(HEADER, special_tokens=tokens))
