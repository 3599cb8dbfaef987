import pytest
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, LlamaFileType

from models.gguf.types import FILE_TYPES, TENSOR_TYPES


# Q8_1 is left out: no file holds it, and the gguf package has its size from before ggml halved its scales.
@pytest.mark.parametrize("kind", [kind for kind in GGMLQuantizationType if kind != GGMLQuantizationType.Q8_1])
def test_a_tensor_type_is_packed_as_the_gguf_package_says(kind: GGMLQuantizationType) -> None:
    known = TENSOR_TYPES[kind]
    assert (known.block_size, known.block_bytes) == GGML_QUANT_SIZES[kind]


@pytest.mark.parametrize("kind", [kind for kind in LlamaFileType if kind != LlamaFileType.GUESSED])
def test_a_file_type_is_called_what_the_gguf_package_calls_it(kind: LlamaFileType) -> None:
    assert FILE_TYPES[kind] == kind.name.removeprefix("MOSTLY_").removeprefix("ALL_")
