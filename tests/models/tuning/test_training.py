"""Training: the network computes what llama.cpp does, a run goes on from its checkpoint, the best adapter is kept."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fine_tunes import needs_peft

pytest.importorskip("torch", reason="training needs torch, which make test installs")

import numpy as np
import torch

from models.source import BUNDLED_MODEL
from models.tuning.adapter_file import write_adapter
from models.tuning.errors import TuningError
from models.tuning.events import EventLog
from models.tuning.options import LoraOptions, TrainingOptions
from models.tuning.sequences import TokenSequence, make_batch
from models.tuning.training import learning_rate
from tests.models.tuning.training import N_STEPS, OPTIONS, llama_cpp_loss, load, sequences, tensors, train


def test_the_loss_is_that_of_llama_cpp() -> None:
    rows, network = sequences(), load(LoraOptions())
    batch = make_batch(rows)
    with torch.no_grad():
        loss = float(network.loss(batch.tokens, batch.labels))
    assert loss == pytest.approx(llama_cpp_loss(rows), rel=5e-3)


def test_llama_cpp_computes_the_trained_loss_with_the_adapter(tmp_path: Path) -> None:
    options = replace(OPTIONS, lora=LoraOptions(r=4, lora_alpha=10, use_rslora=True))
    best = train(tmp_path, options)
    rows = sequences()[:3]
    n_labels = sum(len(row.tokens) - row.n_prompt for row in rows)
    with_adapter = llama_cpp_loss(rows, tmp_path / "adapter.gguf") / n_labels
    assert with_adapter == pytest.approx(best, rel=5e-3)
    assert with_adapter < 0.8 * llama_cpp_loss(rows) / n_labels


def test_only_the_target_modules_are_trained(tmp_path: Path) -> None:
    train(tmp_path, replace(OPTIONS, lora=LoraOptions(r=2, target_modules=("q_proj", "down_proj"))))
    names = {name.split(".", 2)[2] for name in tensors(tmp_path / "adapter.gguf")}
    assert names == {f"{tensor}.weight.lora_{part}" for tensor in ("attn_q", "ffn_down") for part in "ab"}


def test_an_interrupted_run_ends_as_one_in_a_piece(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", OPTIONS)
    with pytest.raises(InterruptedError):
        train(tmp_path / "parts", OPTIONS, stop_after=N_STEPS - 1)
    assert train(tmp_path / "parts", OPTIONS) == pytest.approx(whole, rel=1e-5)
    expected, actual = (tensors(tmp_path / name / "adapter.gguf") for name in ("whole", "parts"))
    assert expected.keys() == actual.keys()
    assert all(np.allclose(expected[name], actual[name], atol=1e-5) for name in expected)
    messages = [event.message for event in EventLog(tmp_path / "parts" / "events").read()]
    assert f"going on from the checkpoint after step 3 of {N_STEPS}" in messages


def test_the_adapter_of_the_lowest_loss_is_kept(tmp_path: Path) -> None:
    best = train(tmp_path, replace(OPTIONS, lr=0.5, warmup_ratio=0.5))  # so much that it gets worse at last
    reported = [event.metrics or {} for event in EventLog(tmp_path / "events").read()]
    losses = [metrics["eval_loss"] for metrics in reported if "eval_loss" in metrics]
    assert best == pytest.approx(min(losses), rel=1e-4)
    assert losses[-1] > min(losses)
    rows = sequences()[:3]
    n_labels = sum(len(row.tokens) - row.n_prompt for row in rows)
    assert llama_cpp_loss(rows, tmp_path / "adapter.gguf") / n_labels == pytest.approx(best, rel=5e-3)


def test_a_loss_that_is_no_number_ends_the_training(tmp_path: Path) -> None:
    with pytest.raises(TuningError, match="a lower lr may help"):
        train(tmp_path, replace(OPTIONS, lr=1e30, warmup_ratio=0))


def test_metrics_are_those_of_the_document(tmp_path: Path) -> None:
    train(tmp_path, OPTIONS)
    reported = [event.metrics for event in EventLog(tmp_path / "events").read() if event.metrics is not None]
    losses = [metrics for metrics in reported if "loss" in metrics]
    evaluations = [metrics for metrics in reported if "eval_loss" in metrics]
    speeds = ["eval_runtime", "eval_samples_per_second", "eval_steps_per_second"]
    assert {tuple(metrics) for metrics in losses} == {("loss", "learning_rate", "epoch")}
    assert {tuple(metrics) for metrics in evaluations} == {("eval_loss", *speeds, "epoch")}
    assert [metrics["epoch"] for metrics in evaluations] == [0.67, 1.0, 1.67, 2.0]


def test_the_learning_rate_rises_then_falls_with_a_cosine() -> None:
    options = TrainingOptions(lr=1.0, warmup_ratio=0.2)
    rates = [learning_rate(step, 10, options) for step in range(10)]
    assert rates[:3] == [0.5, 1.0, 1.0]
    assert rates[6] == pytest.approx(0.5)
    assert rates[9] == pytest.approx(0.5 * (1 + math.cos(math.pi * 7 / 8)))
    assert learning_rate(0, 10, replace(options, warmup_ratio=0)) == 1.0


def test_prompts_and_padding_are_not_trained() -> None:
    batch = make_batch([TokenSequence((1, 2, 3, 4), n_prompt=2), TokenSequence((5, 6), n_prompt=1)])
    assert batch.tokens.tolist() == [[1, 2, 3], [5, 0, 0]]
    assert batch.labels.tolist() == [[-100, 3, 4], [6, -100, -100]]
    assert batch.n_labels == 3


@needs_peft
def test_transformers_and_peft_train_the_same_matrices(tmp_path: Path) -> None:
    from models.tuning.peft_network import PeftNetwork  # noqa: PLC0415 - imports transformers, for seconds

    lora, rows = LoraOptions(), sequences()
    network, own, batch = PeftNetwork(BUNDLED_MODEL, "llama", lora), load(lora), make_batch(rows)
    network.module.eval()
    with torch.no_grad():
        expected = float(own.loss(batch.tokens, batch.labels))
        assert float(network.loss(batch.tokens, batch.labels)) == pytest.approx(expected, rel=1e-4)
        for name, parameter in network.module.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
        changed = float(network.loss(batch.tokens, batch.labels))
    assert network.pairs().keys() == own.pairs().keys()
    write_adapter(tmp_path / "adapter.gguf", "llama", "name", lora.file_alpha, network.pairs())
    assert llama_cpp_loss(rows, tmp_path / "adapter.gguf") == pytest.approx(changed, rel=5e-3)
    assert abs(changed - expected) > 0.02 * expected
