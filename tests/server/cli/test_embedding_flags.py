import pytest

from tests.server.cli.configured import configured, error_of, settings


def test_flags_and_variables_choose_the_pooling() -> None:
    assert configured().engine.pooling is None
    assert configured("--pooling", "last").engine.pooling == "last"
    assert configured(environ={"LLAMA_ARG_POOLING": "cls"}).engine.pooling == "cls"
    assert configured("--rerank").engine.pooling == "rank"
    assert configured(environ={"LLAMA_ARG_RERANKING": "1"}).engine.pooling == "rank"


def test_a_flag_wins_over_a_variable_that_asks_for_another_pooling() -> None:
    assert configured("--reranking", environ={"LLAMA_ARG_POOLING": "cls"}).engine.pooling == "rank"
    assert configured("--pooling", "cls", environ={"LLAMA_ARG_RERANKING": "1"}).engine.pooling == "cls"


def test_reranking_with_another_pooling_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert configured("--reranking", "--pooling", "rank").engine.pooling == "rank"
    assert (
        error_of(capsys, "--reranking", "--pooling", "mean")
        == "--reranking: expected no --pooling with it, or rank, got mean"
    )


def test_embeddings_only_is_asked_for_in_llama_cpps_words() -> None:
    assert not configured().engine.embeddings_only
    assert configured("--embedding").engine.embeddings_only
    assert configured(environ={"LLAMA_ARG_EMBEDDINGS": "1"}).engine.embeddings_only


def test_embeddings_are_divided_by_the_euclidean_norm_unless_told_otherwise() -> None:
    assert settings().embd_normalize == 2
    assert settings("--embd-normalize", "-1").embd_normalize == -1
