import pytest

from models.errors import HubError
from models.hub import choose_files

QUANTIZED = ["README.md", "m-IQ4_XS.gguf", "m-Q4_K_M.gguf", "m-Q8_0.gguf", "m-bf16.gguf"]
SPLIT = [f"BF16/m-BF16-0000{number}-of-00003.gguf" for number in (1, 2, 3)]


def test_without_a_quantization_it_is_q4_k_m() -> None:
    assert choose_files(QUANTIZED, "", None) == ["m-Q4_K_M.gguf"]


def test_without_q4_k_m_it_is_q8_0() -> None:
    assert choose_files(["m-IQ4_XS.gguf", "m-Q8_0.gguf"], "", None) == ["m-Q8_0.gguf"]


def test_without_either_it_is_the_first_model() -> None:
    assert choose_files(["a.txt", "m-IQ4_XS.gguf", "m-Q2_K.gguf"], "", None) == ["m-IQ4_XS.gguf"]


@pytest.mark.parametrize("quantization", ["Q8_0", "q8_0"])
def test_a_quantization_is_found_in_any_case(quantization: str) -> None:
    assert choose_files(QUANTIZED, quantization, None) == ["m-Q8_0.gguf"]


def test_a_quantization_is_no_part_of_another_one() -> None:
    names = ["m-Q4_K_M.gguf", "m-IQ4_K.gguf", "m-Q4_K.gguf"]
    assert choose_files(names, "Q4_K", None) == ["m-Q4_K.gguf"]


def test_a_quantization_may_be_the_name_of_a_folder() -> None:
    assert choose_files(["Q8_0/model.gguf"], "Q8_0", None) == ["Q8_0/model.gguf"]


def test_an_unknown_quantization_lists_those_there_are() -> None:
    with pytest.raises(HubError, match="no model packed as Q5_K_M, only BF16, IQ4_XS, Q4_K_M, Q8_0"):
        choose_files(QUANTIZED, "Q5_K_M", None)


def test_all_parts_of_a_split_model_are_taken() -> None:
    assert choose_files([*QUANTIZED, *SPLIT[::-1]], "BF16", None) == ["m-bf16.gguf"]
    assert choose_files(SPLIT[::-1], "BF16", None) == SPLIT


def test_a_split_model_without_one_of_its_parts_names_it() -> None:
    with pytest.raises(HubError, match=r"no file BF16/m-BF16-00002-of-00003\.gguf, which is one of the 3 parts"):
        choose_files([SPLIT[0], SPLIT[2]], "", None)


@pytest.mark.parametrize("companion", ["mmproj-m-Q4_K_M.gguf", "imatrix-Q4_K_M.gguf", "sub/mtp-m-Q4_K_M.gguf"])
def test_what_accompanies_a_model_is_not_taken_for_it(companion: str) -> None:
    assert choose_files([companion, "m-Q2_K.gguf"], "", None) == ["m-Q2_K.gguf"]


def test_a_file_that_is_named_wins_over_the_quantization() -> None:
    assert choose_files(QUANTIZED, "Q8_0", "m-bf16.gguf") == ["m-bf16.gguf"]


def test_all_parts_of_a_file_that_is_named_are_taken() -> None:
    assert choose_files(SPLIT, "", SPLIT[0]) == SPLIT


def test_a_file_that_is_not_there_lists_those_there_are() -> None:
    with pytest.raises(HubError, match=r"no file m-Q9\.gguf, only m-IQ4_XS\.gguf, m-Q4_K_M\.gguf, "):
        choose_files(QUANTIZED, "", "m-Q9.gguf")


def test_a_repository_without_a_model_lists_what_there_is() -> None:
    with pytest.raises(HubError, match=r"no GGUF model, only README\.md, model\.safetensors"):
        choose_files(["README.md", "model.safetensors"], "", None)
