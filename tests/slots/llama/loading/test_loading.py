"""How a model is loaded: what the flags of placement and metadata do in llama.cpp."""

import pytest

from models.source import BUNDLED_MODEL
from slots.errors import ModelLoadError
from slots.llama import Model, find_devices
from slots.llama.loading.devices import buffer_types
from slots.llama.loading.placement import tensor_overrides
from slots.options import ModelOptions, Placement


def load(**options: object) -> Model:
    return Model(ModelOptions(BUNDLED_MODEL, **options), lambda _share: None)  # type: ignore[arg-type]


def test_values_replace_those_of_the_header() -> None:
    model = load(metadata_overrides=(("llama.context_length", 77), ("tokenizer.ggml.add_bos_token", True)))
    assert model.info.n_ctx_train == 77
    assert model.vocab.add_bos
    assert not load().vocab.add_bos


def test_a_value_of_another_type_is_refused_by_llama_cpp() -> None:
    with pytest.raises(ModelLoadError, match="cannot load"):
        load(metadata_overrides=(("llama.embedding_length", -1),))


def test_options_of_the_file_and_the_placement_go_together() -> None:
    placement = Placement(("none",), (("attn", "CPU"),), cpu_moe=True, n_cpu_moe=2, n_cpu_ffn=2)
    model = load(placement=placement, load_mode="none", lazy_mode="off", check_tensors=True, repack=False, no_host=True)
    assert model.device == "cpu"
    assert model.vocab.n_tokens == load().vocab.n_tokens


def test_a_device_that_is_not_there_is_named_with_those_that_are() -> None:
    names = ", ".join(["none", *(device.name for device in find_devices())])
    with pytest.raises(ModelLoadError, match=f"^-dev/--device: expected {names}, got CUDA99$"):
        load(placement=Placement(("CUDA99",)))


def test_a_buffer_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(ModelLoadError, match=r"^-ot/--override-tensor: expected a buffer of .*CPU.*, got CUDA99$"):
        load(placement=Placement(tensor_overrides=(("attn", "CUDA99"),)))


def test_the_host_is_where_experts_of_the_first_layers_go() -> None:
    overrides = tensor_overrides(Placement(tensor_overrides=(("attn", "CPU"),), n_cpu_moe=2, n_cpu_ffn=1))
    assert overrides is not None
    assert [override.pattern for override in overrides] == [
        b"attn",
        rb"blk\.0\.ffn_(up|down|gate|gate_up)_(ch|)exps",
        rb"blk\.1\.ffn_(up|down|gate|gate_up)_(ch|)exps",
        rb"blk\.0\.ffn_(up|down|gate)\.",
        None,
    ]
    assert {override.buft for override in overrides} == {buffer_types()["CPU"], None}


def test_more_patterns_than_llama_cpp_takes_are_refused() -> None:
    with pytest.raises(ModelLoadError, match="patterns of tensors"):
        tensor_overrides(Placement(tensor_overrides=(("a", "CPU"),) * 5000))
