"""A file that is no adapter of a model is refused in words, before llama.cpp sees it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter

from benchmarks.adapters.lora_file import Lora
from models.adapter import read_adapter
from models.errors import ModelFileError
from models.source import BUNDLED_MODEL
from tests.models.gguf_files import write_gguf

Tensors = Mapping[str, tuple[int, ...]]
QUERY = "blk.0.attn_q.weight"
"""128 x 128 in the bundled model."""


def refusal(path: Path, model: Path = BUNDLED_MODEL) -> str:
    with pytest.raises(ModelFileError) as caught:
        read_adapter(path, model)
    return str(caught.value).replace(str(path), "FILE")


def write(path: Path, tensors: Tensors, dtype: type = np.float32) -> Path:
    """Writes an adapter with tensors of these shapes, in numpy's order."""
    writer = GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    for name, shape in tensors.items():
        writer.add_tensor(name, np.ones(shape, dtype))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_what_it_says_is_read(tmp_path: Path) -> None:
    header = read_adapter(Lora(5, invocation_tokens=[7, 8, 9]).write(tmp_path / "a.gguf"), BUNDLED_MODEL)
    assert (header.task_name, header.prompt_prefix) == ("task-5", "prefix-5")
    assert header.invocation_tokens == (7, 8, 9)


def test_fingerprints_are_those_of_the_contents(tmp_path: Path) -> None:
    files = [Lora(seed).write(tmp_path / f"{name}.gguf") for seed, name in ((1, "a"), (1, "b"), (2, "c"))]
    one, same, other = (read_adapter(file, BUNDLED_MODEL).fingerprint for file in files)
    assert one == same != other


def test_a_model_is_no_adapter() -> None:
    assert refusal(BUNDLED_MODEL) == "FILE holds a model, not a LoRA adapter"


def test_an_adapter_of_another_type_is_refused(tmp_path: Path) -> None:
    file = Lora(adapter_type="dora").write(tmp_path / "a.gguf")
    assert refusal(file) == "FILE holds an adapter of the type dora, expected lora"


def test_an_adapter_for_another_architecture_is_refused(tmp_path: Path) -> None:
    file = Lora(architecture="qwen3").write(tmp_path / "a.gguf")
    assert refusal(file) == "FILE is an adapter for models of the architecture qwen3, not for llama"


@pytest.mark.parametrize("cut", [10, 300, 50_000])
def test_a_truncated_file_is_refused(tmp_path: Path, cut: int) -> None:
    whole = Lora().write(tmp_path / "a.gguf").read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[:cut])
    assert "truncated" in refusal(tmp_path / "cut.gguf")


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("Once upon a time")
    assert refusal(tmp_path / "text.gguf").startswith("FILE is not a GGUF file")
    assert refusal(tmp_path / "none.gguf") == "FILE does not exist"


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        (
            {f"{QUERY}.lora_a": (4, 64), f"{QUERY}.lora_b": (64, 4)},
            f"FILE is for another model: {QUERY} is 128 x 128 there, and the adapter is for 64 x 64",
        ),
        (
            {f"{QUERY}.lora_a": (4, 128), f"{QUERY}.lora_b": (128, 8)},
            f"FILE is damaged: the two parts of {QUERY} have the ranks 4 and 8",
        ),
        ({f"{QUERY}.lora_a": (4, 128)}, f"FILE is damaged: it has {QUERY}.lora_a without {QUERY}.lora_b"),
        (
            {"blk.99.attn_q.weight.lora_a": (4, 128), "blk.99.attn_q.weight.lora_b": (128, 4)},
            "FILE is for another model: it changes blk.99.attn_q.weight, which this model has not",
        ),
        ({QUERY: (128, 128)}, f"FILE has the tensor {QUERY}, which no LoRA adapter has"),
        (
            {f"{QUERY}.lora_a": (2, 4, 128), f"{QUERY}.lora_b": (2, 128, 4)},
            f"FILE is for another model: {QUERY} is 128 x 128 there, and the adapter is for 128 x 128 x 2",
        ),
        ({}, "FILE holds an adapter without any tensors"),
    ],
)
def test_tensors_have_to_fit_to_those_of_the_model(tmp_path: Path, tensors: Tensors, reason: str) -> None:
    assert refusal(write(tmp_path / "a.gguf", tensors)) == reason


def test_numbers_have_to_be_of_a_type_that_adapters_have(tmp_path: Path) -> None:
    file = write(tmp_path / "a.gguf", {f"{QUERY}.lora_a": (4, 128), f"{QUERY}.lora_b": (128, 4)}, np.int32)
    assert refusal(file) == "FILE holds tensors of other types than F32, F16, Q8_0, BF16"


def test_token_embeddings_that_are_the_output_as_well_cannot_be_changed(tmp_path: Path) -> None:
    file = write(tmp_path / "a.gguf", {"token_embd.weight.lora_a": (3072, 4), "token_embd.weight.lora_b": (128, 4)})
    reason = "it changes token_embd.weight, which this model has for its output as well"
    assert refusal(file) == f"FILE cannot be computed by llama.cpp: {reason}"


def test_token_embeddings_have_a_and_b_in_each_others_place(tmp_path: Path) -> None:
    model = tmp_path / "model.gguf"
    writer = GGUFWriter(model, "llama")
    for name in ("token_embd.weight", "output.weight"):
        writer.add_tensor(name, np.zeros((300, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    parts = [f"token_embd.weight.lora_{part}" for part in "ab"]
    file = write(tmp_path / "a.gguf", dict(zip(parts, [(300, 4), (32, 4)], strict=True)))
    assert read_adapter(file, model).invocation_tokens == ()
    swapped = write(tmp_path / "b.gguf", dict(zip(parts, [(4, 32), (300, 4)], strict=True)))
    assert "token_embd.weight is 32 x 300 there" in refusal(swapped, model)


def test_norms_which_llama_cpp_leaves_out_are_accepted(tmp_path: Path) -> None:
    tensors = {f"{QUERY}.lora_a": (4, 128), f"{QUERY}.lora_b": (128, 4), "blk.0.attn_norm.weight": (128,)}
    assert read_adapter(write(tmp_path / "a.gguf", tensors), BUNDLED_MODEL).task_name == ""


def test_tensors_of_all_files_of_a_split_model_count(tmp_path: Path) -> None:
    first = write_gguf(tmp_path / "split.gguf", n_tensors=4, tensors_in_part=2)
    assert first.name.endswith("-00001-of-00002.gguf")
    pair = {"blk.3.weight.lora_a": (4, 32), "blk.3.weight.lora_b": (32, 4)}
    assert read_adapter(write(tmp_path / "a.gguf", pair), first).prompt_prefix == ""
