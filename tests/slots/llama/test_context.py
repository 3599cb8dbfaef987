import subprocess
import sys
from pathlib import Path

import llama_cpp.llama_cpp as lib
import numpy as np
import pytest
from gguf import GGUFReader, GGUFValueType, GGUFWriter
from hypothesis import given, settings
from hypothesis import strategies as st

from models.source import BUNDLED_MODEL
from slots.errors import ModelLoadError, UnbrokenTextError
from slots.llama import MAX_UNBROKEN, Batch, Context, Model, Vocab
from slots.llama.weights import Weights
from slots.options import ContextOptions, ModelOptions

SHARED_DATA = Path(__file__).parents[4] / "shared" / "data"
VOCABULARIES = ["ggml-vocab-llama-spm.gguf", "ggml-vocab-qwen2.gguf", "ggml-vocab-starcoder.gguf"]


@pytest.fixture(scope="session")
def context(bundled_model: Model) -> Context:
    return Context(bundled_model, ContextOptions(n_ctx=512, n_parallel=2, n_batch=64))


@pytest.fixture(scope="session", params=VOCABULARIES)
def real_vocab(request: pytest.FixtureRequest) -> Vocab:
    path = SHARED_DATA / request.param
    if not path.exists():
        pytest.skip(f"the vocabulary {request.param} is not in ../shared/data")
    params = lib.llama_model_default_params()
    params.vocab_only = True
    return Vocab(Weights(lib.llama_model_load_from_file(str(path).encode(), params)))


def test_a_file_that_is_not_there_cannot_be_loaded() -> None:
    with pytest.raises(ModelLoadError, match="no-such-model"):
        Model(ModelOptions(Path("no-such-model.gguf")), lambda _share: None)


def test_loading_reports_its_progress() -> None:
    shares: list[float] = []
    Model(ModelOptions(BUNDLED_MODEL), shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_split_model_is_loaded_from_its_first_file(bundled_model: Model, tmp_path: Path) -> None:
    whole = GGUFReader(BUNDLED_MODEL)
    parts = GGUFWriter(tmp_path / "split.gguf", "llama", split_max_tensors=20)
    for key, field in whole.fields.items():
        if not key.startswith("GGUF.") and key != "general.architecture":
            kind = field.types[0]
            parts.add_key_value(key, field.contents(), kind, field.types[-1] if kind == GGUFValueType.ARRAY else None)
    for tensor in whole.tensors:
        parts.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    parts.write_header_to_file()
    parts.write_kv_data_to_file()
    parts.write_tensors_to_file()
    parts.close()
    first = tmp_path / "split-00001-of-00003.gguf"
    assert Model(ModelOptions(first), lambda _share: None).info.n_params == bundled_model.info.n_params


def test_what_was_loaded_is_described(bundled_model: Model) -> None:
    info = bundled_model.info
    assert info.description.startswith("llama")
    assert info.n_vocab == bundled_model.vocab.n_tokens
    assert info.n_params > 0
    assert info.size_bytes < 8_000_000


@pytest.mark.parametrize("n_parallel", [0, 257])
def test_a_number_of_slots_that_llama_cpp_does_not_know_is_refused(bundled_model: Model, n_parallel: int) -> None:
    with pytest.raises(ModelLoadError, match="slots"):
        Context(bundled_model, ContextOptions(n_parallel=n_parallel))


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_any_text_survives_tokenizing(bundled_model: Model, text: str) -> None:
    vocab = bundled_model.vocab
    tokens = vocab.tokenize_plain(text, add_special=False, parse_special=False)
    assert vocab.detokenize(tokens).decode() == text


@pytest.mark.parametrize("text", ["", " ", "Hello world", " leading", "two\n\nlines\t", "naïve 日本 😀", "\n", "a  b"])
def test_text_survives_the_tokenizers_of_real_models(real_vocab: Vocab, text: str) -> None:
    tokens = real_vocab.tokenize_plain(text, add_special=False, parse_special=False)
    assert real_vocab.detokenize(tokens).decode() == text


def test_special_tokens_are_read_from_text_only_if_asked_for(real_vocab: Vocab) -> None:
    assert real_vocab.eos is not None
    spelled = real_vocab.piece(real_vocab.eos).decode()
    assert real_vocab.tokenize(spelled, add_special=False, parse_special=True) == [real_vocab.eos]
    assert real_vocab.eos not in real_vocab.tokenize(spelled, add_special=False, parse_special=False)


@pytest.mark.parametrize("pre_tokenizer", ["tekken", "gpt-4o", "deepseek-llm", "bloom"])
def test_a_long_unbroken_text_does_not_end_the_process(pre_tokenizer: str) -> None:
    """In a process of its own, for the sake of the others: these tokenizers recurse for each character."""
    program = """
import sys, llama_cpp.llama_cpp as lib
from slots.llama import Vocab
from slots.llama.weights import Weights
params = lib.llama_model_default_params()
params.vocab_only = True
override = (lib.llama_model_kv_override * 2)()
override[0].tag, override[0].key = 3, b"tokenizer.ggml.pre"
override[0].value.val_str = sys.argv[1].encode()
params.kv_overrides = override
vocab = Vocab(Weights(lib.llama_model_load_from_file(sys.argv[2].encode(), params)))
print(len(vocab.tokenize("a" * int(sys.argv[3]), add_special=False, parse_special=False)))
"""
    command = [sys.executable, "-c", program, pre_tokenizer, str(BUNDLED_MODEL), "300000"]
    assert int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) > 0


def test_a_stretch_beyond_what_tokenizers_survive_is_refused(bundled_model: Model) -> None:
    for text in ("a" * (MAX_UNBROKEN + 1), " " * (MAX_UNBROKEN + 1)):
        with pytest.raises(UnbrokenTextError, match="got a stretch of 1000001"):
            bundled_model.vocab.tokenize(text, add_special=False, parse_special=False)


def test_a_context_smaller_than_its_slots_is_made_large_enough(bundled_model: Model) -> None:
    context = Context(bundled_model, ContextOptions(n_ctx=3, n_parallel=16))
    assert context.n_ctx >= 256
    context.close()


def test_a_token_outside_the_vocabulary_has_no_piece(bundled_model: Model) -> None:
    for token in (-1, bundled_model.vocab.n_tokens):
        with pytest.raises(ValueError, match="not in the vocabulary"):
            bundled_model.vocab.piece(token)


def test_the_end_of_sequence_ends_a_generation(bundled_model: Model) -> None:
    assert bundled_model.vocab.eos in bundled_model.vocab.end_of_generation


def test_logits_come_in_the_order_in_which_they_were_asked_for(bundled_model: Model, context: Context) -> None:
    one, other = (
        bundled_model.vocab.tokenize(text, add_special=True, parse_special=True)
        for text in ("Once upon a time, there was a", "One day, Tom and his mom went to the")
    )
    batch = Batch(64)
    batch.add(0, 0, one, last_logits=True)
    batch.add(1, 0, other, last_logits=True)
    together = context.decode(batch).copy()
    assert together.shape == (2, bundled_model.vocab.n_tokens)
    for sequence in (0, 1):
        context.clear_sequence(sequence)
    batch.clear()
    batch.add(1, 0, other, last_logits=True)
    alone = context.decode(batch).copy()
    context.clear_sequence(1)
    np.testing.assert_allclose(alone[0], together[1], atol=0.1)
    assert np.abs(alone[0] - together[0]).max() > 1.0


def test_a_prefix_that_is_kept_goes_on_as_if_the_rest_had_never_been(context: Context) -> None:
    batch = Batch(64)
    batch.add(0, 0, [5, 6, 7, 9, 9, 9], last_logits=False)
    context.decode(batch)
    assert context.keep_prefix(0, 2)
    batch.clear()
    batch.add(0, 2, [8], last_logits=True)
    after_cut = context.decode(batch).copy()
    context.clear_sequence(0)
    batch.clear()
    batch.add(0, 0, [5, 6, 8], last_logits=True)
    fresh = context.decode(batch).copy()
    context.clear_sequence(0)
    np.testing.assert_allclose(after_cut, fresh, atol=0.1)


@pytest.mark.parametrize(("sequence", "tokens"), [(0, [-1]), (0, [10**6]), (2, [1]), (-1, [1]), (0, [])])
def test_a_batch_that_llama_cpp_would_not_survive_is_refused(
    context: Context, sequence: int, tokens: list[int]
) -> None:
    batch = Batch(64)
    batch.add(sequence, 0, tokens, last_logits=False)
    with pytest.raises(ValueError, match="batch"):
        context.decode(batch)


def test_a_batch_holds_no_more_than_its_capacity() -> None:
    with pytest.raises(ValueError, match="holds 4 tokens"):
        Batch(4).add(0, 0, [1] * 5, last_logits=False)


def test_a_batch_larger_than_the_context_allows_is_refused(context: Context) -> None:
    batch = Batch(100)
    batch.add(0, 0, [1] * 65, last_logits=False)
    with pytest.raises(ValueError, match="larger than"):
        context.decode(batch)


@pytest.mark.parametrize("sequence", [-1, 2])
def test_an_unknown_sequence_is_refused(context: Context, sequence: int) -> None:
    with pytest.raises(ValueError, match="sequence"):
        context.clear_sequence(sequence)
