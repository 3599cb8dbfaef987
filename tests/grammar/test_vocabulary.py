"""Grammars over the vocabularies of real models."""

import json
from collections.abc import Callable
from pathlib import Path

import llama_cpp.llama_cpp as lib
import numpy as np
import pytest

from grammar.compiler import GrammarCompiler
from grammar.matcher import Matcher
from grammar.source import GrammarSource
from grammar.vocabulary import GrammarVocabulary
from models.source import BUNDLED_MODEL
from slots.llama import Model, Vocab
from slots.llama.weights import Weights
from slots.options import ModelOptions

SHARED_DATA = Path(__file__).parents[3] / "shared" / "data"
CASES = Path(__file__).parent / "gbnf" / "cases"
VOCABULARIES = ["bundled", "ggml-vocab-llama-spm.gguf", "ggml-vocab-qwen2.gguf", "ggml-vocab-starcoder.gguf"]
VALUE = {"name": 'Ann "é漢😀" Lee', "age": 36, "tags": ["a", "b/c\\"], "x": {"y": [None, True, -1.5e3]}}


def load(name: str) -> Vocab:
    if name == "bundled":
        return Model(ModelOptions(BUNDLED_MODEL), lambda _share: None).vocab
    path = SHARED_DATA / name
    if not path.exists():
        pytest.skip(f"the vocabulary {name} is not in ../shared/data")
    params = lib.llama_model_default_params()
    params.vocab_only = True
    return Vocab(Weights(lib.llama_model_load_from_file(str(path).encode(), params)))


@pytest.fixture(scope="session", params=VOCABULARIES)
def vocab(request: pytest.FixtureRequest) -> Vocab:
    return load(request.param)


@pytest.fixture(scope="session")
def compiler(vocab: Vocab) -> GrammarCompiler:
    special = [token for token in range(vocab.n_tokens) if vocab.is_control(token)]
    pieces = [vocab.output_bytes(token) for token in range(vocab.n_tokens)]
    texts = {vocab.piece(token).decode(): token for token in special}
    return GrammarCompiler(GrammarVocabulary(pieces, special, vocab.end_of_generation, texts))


def accept_all(matcher: Matcher, tokens: list[int]) -> None:
    for token in tokens:
        mask = matcher.mask()
        assert mask[token >> 5] >> (token & 31) & 1, token
        matcher.accept(token)


def gbnf(case: str) -> GrammarSource:
    return GrammarSource("gbnf", (CASES / f"{case}.gbnf").read_text())


@pytest.mark.parametrize(
    "source",
    [GrammarSource("json_schema", "{}"), gbnf("json"), GrammarSource("regex", "(?s:.*)")],
    ids=["schema", "gbnf", "regex"],
)
def test_the_tokens_of_a_text_match_what_the_text_matches(
    vocab: Vocab, compiler: GrammarCompiler, source: GrammarSource
) -> None:
    matcher = compiler.compile(source).matcher()
    accept_all(
        matcher, vocab.tokenize_plain(json.dumps(VALUE, ensure_ascii=False), add_special=False, parse_special=False)
    )
    assert matcher.may_end


def test_exactly_the_tokens_that_are_text_match_any_text(vocab: Vocab, compiler: GrammarCompiler) -> None:
    mask = compiler.compile(GrammarSource("gbnf", "root ::= .*")).matcher().mask()
    bits = np.unpackbits(mask.view(np.uint8), bitorder="little")
    for token in range(vocab.n_tokens):
        if token in vocab.end_of_generation:
            assert bits[token]
        elif not (piece := vocab.output_bytes(token)):
            assert not bits[token], token
        elif is_text(piece.decode):
            assert bits[token], (token, piece)


def is_text(decode: Callable[[], str]) -> bool:
    try:
        return bool(decode())
    except UnicodeDecodeError:
        return False


def test_a_special_token_can_be_named_by_its_text(vocab: Vocab, compiler: GrammarCompiler) -> None:
    special = next(
        t
        for t in range(vocab.n_tokens)
        if vocab.is_control(t) and t not in vocab.end_of_generation and vocab.piece(t).startswith(b"<")
    )
    matcher = compiler.compile(GrammarSource("gbnf", f'root ::= {vocab.piece(special).decode()} "a"')).matcher()
    assert matcher.forced_tokens()[:1] == [special]


@pytest.mark.parametrize("case", sorted(path.stem for path in CASES.glob("*.gbnf")))
def test_every_case_compiles(compiler: GrammarCompiler, case: str) -> None:
    assert compiler.compile(gbnf(case)).matcher().mask().any()
