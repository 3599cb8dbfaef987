"""The bundled model: small, a llama with a ChatML template and tokens for infills, and able to write."""

import ast
from pathlib import Path
from typing import Any, cast

import pytest
from gguf import GGMLQuantizationType, GGUFReader
from llama_cpp import Llama

BUNDLED = Path(__file__).parents[2] / "models" / "bundled.gguf"
MAX_BYTES = 8_000_000
FIM_TOKENS = {
    "fim_pre": "<|fim_prefix|>",
    "fim_suf": "<|fim_suffix|>",
    "fim_mid": "<|fim_middle|>",
    "fim_pad": "<|fim_pad|>",
    "fim_rep": "<|repo_name|>",
    "fim_sep": "<|file_sep|>",
}


@pytest.fixture(scope="module")
def reader() -> GGUFReader:
    return GGUFReader(BUNDLED)


@pytest.fixture(scope="module")
def llama() -> Llama:
    return Llama(str(BUNDLED), n_ctx=2048, n_threads=1, verbose=False)


def field(reader: GGUFReader, key: str) -> Any:
    value = reader.get_field(key)
    assert value is not None, f"the header lacks {key}"
    return value.contents()


def token_text(reader: GGUFReader, kind: str) -> str:
    return str(field(reader, "tokenizer.ggml.tokens")[field(reader, f"tokenizer.ggml.{kind}_token_id")])


def tokenize(llama: Llama, text: str) -> list[int]:
    tokens: list[int] = llama.tokenize(text.encode(), add_bos=False, special=True)
    return tokens


def complete(llama: Llama, prompt: str | list[int], max_tokens: int) -> str:
    tokens = tokenize(llama, prompt) if isinstance(prompt, str) else prompt
    completion = llama.create_completion(tokens, max_tokens=max_tokens, temperature=0.0)
    return str(cast("dict[str, Any]", completion)["choices"][0]["text"])


def test_is_small_enough_for_the_repository() -> None:
    assert BUNDLED.stat().st_size <= MAX_BYTES


def test_is_a_llama_of_2048_tokens_of_context(reader: GGUFReader) -> None:
    assert field(reader, "general.architecture") == "llama"
    assert field(reader, "llama.context_length") == 2048


def test_names_its_licence(reader: GGUFReader) -> None:
    assert field(reader, "general.license") == "MIT"


def test_is_quantized_wherever_rows_are_whole_blocks(reader: GGUFReader) -> None:
    for tensor in reader.tensors:
        is_matrix = len(tensor.shape) == 2
        assert tensor.tensor_type == (GGMLQuantizationType.Q8_0 if is_matrix else GGMLQuantizationType.F32)


def test_has_a_byte_level_vocabulary_of_a_few_thousand_tokens(reader: GGUFReader) -> None:
    assert field(reader, "tokenizer.ggml.model") == "gpt2"
    assert field(reader, "tokenizer.ggml.pre") == "qwen2"
    assert 2_000 <= len(field(reader, "tokenizer.ggml.tokens")) <= 5_000


def test_chats_in_chatml(reader: GGUFReader) -> None:
    template = field(reader, "tokenizer.chat_template")
    assert "<|im_start|>" in template
    assert "add_generation_prompt" in template
    assert token_text(reader, "eot") == "<|im_end|>"


def test_ends_a_text_with_its_own_token_and_begins_it_with_none(reader: GGUFReader) -> None:
    assert token_text(reader, "eos") == "<|endoftext|>"
    assert field(reader, "tokenizer.ggml.add_bos_token") is False


@pytest.mark.parametrize(("kind", "text"), FIM_TOKENS.items())
def test_has_tokens_for_infills(reader: GGUFReader, kind: str, text: str) -> None:
    assert token_text(reader, kind) == text


@pytest.mark.parametrize(
    "text", ["plain words", "1234567890", "  two  spaces\n\n\ttab\r\n", "Žluťoučký kůň, 中文, 🙂", "\x00\x01\x7f"]
)
def test_gives_back_any_text_it_takes(llama: Llama, text: str) -> None:
    tokens = llama.tokenize(text.encode(), add_bos=False, special=False)
    assert llama.detokenize(tokens).decode() == text


def test_reads_a_special_token_as_one_token(llama: Llama) -> None:
    assert len(tokenize(llama, "<|im_start|>")) == 1


def test_tells_a_story_in_many_different_words(llama: Llama) -> None:
    words = complete(llama, "Once upon a time, there was a little", 100).split()
    assert len(words) > 50
    assert len(set(words)) > len(words) / 4


def test_lists_the_steps_of_building_a_website(llama: Llama) -> None:
    steps = complete(llama, "Building a website can be done in 10 simple steps:", 200)
    assert steps.startswith("\n1. ")
    assert "\n2. " in steps


def test_answers_a_short_question_shortly(llama: Llama) -> None:
    prompt = "<|im_start|>user\nWhat colour is the sky?<|im_end|>\n<|im_start|>assistant\n"
    answer = complete(llama, prompt, 64)
    assert "blue" in answer
    assert len(answer) < 60


def test_fills_in_python(llama: Llama) -> None:
    prefix, suffix = "def add(a, b):\n", "\n"
    middle = complete(llama, f"<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>", 32)
    assert middle
    ast.parse(prefix + middle + suffix)


def test_still_writes_at_the_end_of_its_context(llama: Llama) -> None:
    tokens = tokenize(llama, "Tom and Lily went to the park. They were happy to play there.\n" * 140)
    prompt = tokens[:1900] + tokenize(llama, "<|endoftext|>Once upon a time, there was a little")
    assert len(set(complete(llama, prompt, 40).split())) > 12
