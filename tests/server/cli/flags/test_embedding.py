import pytest

from tests.server.cli.flag_parsing import get_error, parse_flags, settings


def test_flags_and_variables_choose_the_pooling() -> None:
    assert parse_flags().engine.pooling is None
    assert parse_flags("--pooling", "last").engine.pooling == "last"
    assert parse_flags(environ={"LLAMA_ARG_POOLING": "cls"}).engine.pooling == "cls"
    assert parse_flags("--rerank").engine.pooling == "rank"
    assert parse_flags(environ={"LLAMA_ARG_RERANKING": "1"}).engine.pooling == "rank"


def test_a_flag_wins_over_a_variable_that_asks_for_another_pooling() -> None:
    assert parse_flags("--reranking", environ={"LLAMA_ARG_POOLING": "cls"}).engine.pooling == "rank"
    assert parse_flags("--pooling", "cls", environ={"LLAMA_ARG_RERANKING": "1"}).engine.pooling == "cls"


def test_reranking_with_another_pooling_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse_flags("--reranking", "--pooling", "rank").engine.pooling == "rank"
    assert (
        get_error(capsys, "--reranking", "--pooling", "mean")
        == "--reranking: expected no --pooling with it, or rank, got mean"
    )


def test_embeddings_only_is_asked_for_in_llama_cpps_words() -> None:
    assert not parse_flags().engine.embeddings_only
    assert parse_flags("--embedding").engine.embeddings_only
    assert parse_flags(environ={"LLAMA_ARG_EMBEDDINGS": "1"}).engine.embeddings_only


def test_embeddings_are_divided_by_the_euclidean_norm_unless_told_otherwise() -> None:
    assert settings().embd_normalize == 2
    assert settings("--embd-normalize", "-1").embd_normalize == -1
