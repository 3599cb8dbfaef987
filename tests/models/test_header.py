import os
import struct
from pathlib import Path

import pytest
from gguf import GGUFEndian, GGUFWriter

from models.errors import ModelFileError
from models.gguf.contents import MAX_TENSORS, MAX_VALUES
from models.gguf.values import MAX_STRING_BYTES, MAX_STRINGS
from models.header import Header, SpecialToken, read_header
from tests.models.gguf_files import CHATML, TOKENS, add_metadata, add_no_metadata, write_gguf

SHARED_DATA = Path(__file__).parents[3] / "shared" / "data"

UINT32, STRING, ARRAY = 4, 8, 9


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.gguf"


def header_error(path: Path) -> str:
    """Returns the error of reading a header, which is one line and names the path."""
    with pytest.raises(ModelFileError) as caught:
        read_header(path)
    message = str(caught.value)
    assert str(path.parent) in message
    assert "\n" not in message
    return message


def string(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def gguf(*values: bytes, n_values: int | None = None, tensors: bytes = b"", n_tensors: int = 0) -> bytes:
    """Returns the bytes of a file, with counts that may be wrong."""
    count = len(values) if n_values is None else n_values
    return b"GGUF" + struct.pack("<IQQ", 3, n_tensors, count) + b"".join(values) + tensors


def array(element_type: int, length: int, elements: bytes = b"") -> bytes:
    return string(b"key") + struct.pack("<IIQ", ARRAY, element_type, length) + elements


def test_a_header_says_what_the_model_is(path: Path) -> None:
    write_gguf(path)
    assert read_header(path) == Header(
        path=path,
        architecture="llama",
        name="Tiny",
        size_label="2K",
        file_type="Q8_0",
        n_parameters=2 * 32 * 32,
        n_bytes=path.stat().st_size,
        n_parts=1,
        n_ctx_train=2048,
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_vocab=len(TOKENS),
        tokenizer="gpt2",
        chat_template=CHATML,
        special_tokens=(SpecialToken("bos", 0, "<s>"), SpecialToken("eos", 5, "<|im_end|>")),
    )


def test_what_a_model_does_not_say_is_none(path: Path) -> None:
    header = read_header(write_gguf(path, add_no_metadata))
    assert (header.name, header.file_type, header.n_ctx_train, header.chat_template) == (None, None, None, None)
    assert header.special_tokens == ()


def test_a_special_token_outside_the_vocabulary_has_no_text(path: Path) -> None:
    def metadata(writer: GGUFWriter) -> None:
        writer.add_token_list(TOKENS)
        writer.add_bos_token_id(99)

    assert read_header(write_gguf(path, metadata)).special_tokens == (SpecialToken("bos", 99, None),)


def test_a_value_of_another_type_than_expected_counts_as_not_said(path: Path) -> None:
    def metadata(writer: GGUFWriter) -> None:
        writer.add_string("llama.context_length", "long")
        writer.add_array("llama.attention.head_count", [4, 8])
        writer.add_bool("general.name", True)

    header = read_header(write_gguf(path, metadata))
    assert (header.n_ctx_train, header.n_head, header.name) == (None, None, None)


def test_a_file_type_newer_than_the_program_keeps_its_number(path: Path) -> None:
    assert read_header(write_gguf(path, lambda writer: writer.add_file_type(900))).file_type == "type 900"


def test_a_template_for_chats_with_tools_is_read(path: Path) -> None:
    templates = [{"name": "default", "template": CHATML}, {"name": "tool_use", "template": "{{ tools }}"}]
    header = read_header(write_gguf(path, lambda writer: writer.add_chat_template(templates)))
    assert (header.chat_template, header.tool_use_template) == (CHATML, "{{ tools }}")


def test_a_template_for_ranking_is_read(path: Path) -> None:
    def metadata(writer: GGUFWriter) -> None:
        writer.add_string("tokenizer.chat_template.rerank", "{query} {document}")

    header = read_header(write_gguf(path, metadata))
    assert (header.rerank_template, header.has_classifier) == ("{query} {document}", False)


def test_version_2_is_read(path: Path) -> None:
    data = bytearray(write_gguf(path).read_bytes())
    data[4] = 2
    path.write_bytes(data)
    assert read_header(path).name == "Tiny"


def test_a_real_model_is_read() -> None:
    path = SHARED_DATA / "stories260K.gguf"
    if not path.exists():
        pytest.skip("the shared data is not here")
    header = read_header(path)
    assert (header.architecture, header.n_layer, header.n_vocab) == ("llama", 5, 512)
    assert [token.text for token in header.special_tokens] == ["<s>", "</s>", "<unk>"]


@pytest.mark.parametrize("name", ["qwen2", "llama-spm", "starcoder"])
def test_a_real_vocabulary_alone_is_no_model(name: str) -> None:
    path = SHARED_DATA / f"ggml-vocab-{name}.gguf"
    if not path.exists():
        pytest.skip("the shared data is not here")
    assert "holds a vocabulary only" in header_error(path)


def test_a_file_that_is_not_there(path: Path) -> None:
    assert header_error(path) == f"{path} does not exist"


def test_a_directory(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").mkdir()
    assert "is a directory, expected a GGUF file" in header_error(tmp_path / "model.gguf")


def test_a_pipe_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    assert "is not a regular file, expected a GGUF file" in header_error(path)


def test_an_empty_file(path: Path) -> None:
    path.touch()
    assert "is empty, expected a GGUF file" in header_error(path)


@pytest.mark.parametrize(
    ("start", "description"),
    [
        (struct.pack("<Q", 40) + b'{"__metadata__":{"format":"pt"}}', "a safetensors file"),
        (b"\n<!DOCTYPE html><html><body>404", "an HTML page"),
        (b"PK\x03\x04\x14\x00\x00\x00", "a zip archive"),
        (b"tjgg\x03\x00\x00\x00", "old ggml"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b'{"error": "not found"}', "a JSON file"),
        (bytes(100), "only zeros"),
        (b"\x01\x02\x03\x04\x05", "something else, which starts with the bytes 01 02 03 04"),
    ],
)
def test_a_foreign_file_is_called_what_it_looks_like(path: Path, start: bytes, description: str) -> None:
    path.write_bytes(start)
    message = header_error(path)
    assert "is not a GGUF file" in message
    assert description in message


def test_a_big_endian_file(path: Path) -> None:
    writer = GGUFWriter(path, "llama", endianess=GGUFEndian.BIG)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert "is a big-endian GGUF file, expected a little-endian one" in header_error(path)


@pytest.mark.parametrize("version", [0, 1, 4])
def test_an_unknown_version(path: Path, version: int) -> None:
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", version, 0, 0))
    assert f"has GGUF version {version}, expected 2 or 3" in header_error(path)


def test_a_file_without_its_last_tensor_names_both_sizes(path: Path) -> None:
    write_gguf(path, n_tensors=20)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert "is truncated: it has 41.9 kB of 83.7 kB, 41.9 kB are missing" in header_error(path)


def test_a_file_without_its_last_byte_is_truncated(path: Path) -> None:
    data = write_gguf(path).read_bytes()
    path.write_bytes(data[:-1])
    assert "1 bytes are missing" in header_error(path)


def test_a_file_that_ends_anywhere_in_its_header_is_truncated(path: Path) -> None:
    data = write_gguf(path).read_bytes()
    for length in range(4, data.index(b"blk.1.weight")):
        path.write_bytes(data[:length])
        assert "is truncated" in header_error(path)


def test_any_changed_byte_of_a_header_is_read_or_refused_in_a_sentence(path: Path) -> None:
    data = write_gguf(path).read_bytes()
    for position in range(data.index(b"blk.1.weight") + 40):
        path.write_bytes(data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :])
        try:
            read_header(path)
        except ModelFileError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (gguf(n_values=2**63), f"metadata values, of at most {MAX_VALUES:,}"),
        (gguf(n_tensors=2**63), f"tensors, of at most {MAX_TENSORS:,}"),
        (gguf(array(STRING, 2**63)), f"strings in an array, of at most {MAX_STRINGS:,}"),
        (gguf(array(STRING, 1, struct.pack("<Q", 2**64 - 1))), "is truncated"),
        (gguf(array(UINT32, 2**63)), "is truncated"),
        (gguf(struct.pack("<Q", 2**64 - 1)), "is truncated"),
        (gguf(array(ARRAY, 1, struct.pack("<IQ", ARRAY, 1) * 1000)), "an array of the type 9"),
        (gguf(string(b"key") + struct.pack("<I", 77)), "the value type 77"),
        (gguf(*[string(b"key") + struct.pack("<II", UINT32, 1)] * 2), "two values for 'key'"),
        (gguf(tensors=string(b"t") + struct.pack("<I", 2**31), n_tensors=1), "dimensions for the tensor 't'"),
        (
            gguf(tensors=string(b"t") + struct.pack("<IQQIQ", 2, 2**63, 2**63, 0, 0), n_tensors=1),
            "is truncated",
        ),
        (
            gguf(
                string(b"general.alignment") + struct.pack("<II", UINT32, 0),
                tensors=string(b"t") + struct.pack("<IQIQ", 1, 1, 0, 0),
                n_tensors=1,
            ),
            "an alignment of 0",
        ),
    ],
)
def test_a_number_in_a_hostile_file_is_not_believed(path: Path, contents: bytes, reason: str) -> None:
    path.write_bytes(contents)
    assert reason in header_error(path)


def test_a_special_token_without_end_is_refused(path: Path) -> None:
    def metadata(writer: GGUFWriter) -> None:
        writer.add_token_list(["x" * (MAX_STRING_BYTES + 1)])
        writer.add_bos_token_id(0)

    assert "bytes in a string, of at most" in header_error(write_gguf(path, metadata))


def test_a_file_without_tensors_is_no_model(path: Path) -> None:
    assert "holds a vocabulary only" in header_error(write_gguf(path, n_tensors=0))


@pytest.mark.parametrize(("kind", "words"), [("adapter", "a LoRA adapter"), ("mmproj", "a projector of images")])
def test_a_companion_of_a_model_is_no_model(path: Path, kind: str, words: str) -> None:
    message = header_error(write_gguf(path, lambda writer: writer.add_type(kind)))
    assert f"holds {words}" in message
    assert message.endswith("not a model")


def test_a_file_without_an_architecture(path: Path) -> None:
    path.write_bytes(gguf(tensors=string(b"t") + struct.pack("<IQIQ", 1, 1, 0, 0), n_tensors=1) + bytes(64))
    assert "does not say which architecture it has" in header_error(path)


def test_a_split_model_is_read_from_all_its_files(path: Path) -> None:
    first = write_gguf(path, n_tensors=5, tensors_in_part=2)
    header = read_header(first)
    assert first.name == "model-00001-of-00003.gguf"
    assert (header.path, header.n_parts, header.n_parameters) == (first, 3, 5 * 32 * 32)
    assert header.n_bytes == sum(part.stat().st_size for part in first.parent.iterdir())


def test_a_later_part_of_a_split_model_asks_for_the_first(path: Path) -> None:
    first = write_gguf(path, n_tensors=5, tensors_in_part=2)
    message = header_error(first.with_name("model-00002-of-00003.gguf"))
    assert message.endswith("is part 2 of 3 of a model, expected the first part, model-00001-of-00003.gguf")


def test_a_missing_part_is_named(path: Path) -> None:
    first = write_gguf(path, n_tensors=5, tensors_in_part=2)
    third = first.with_name("model-00003-of-00003.gguf")
    third.unlink()
    assert header_error(first) == f"part 3 of 3 of the model is missing: {third}"


def test_a_truncated_part_is_named(path: Path) -> None:
    first = write_gguf(path, n_tensors=5, tensors_in_part=2)
    second = first.with_name("model-00002-of-00003.gguf")
    second.write_bytes(second.read_bytes()[:-100])
    assert header_error(first).startswith(f"{second} is truncated")


def test_a_part_that_is_another_part_is_named(path: Path) -> None:
    first = write_gguf(path, n_tensors=5, tensors_in_part=2)
    second = first.with_name("model-00002-of-00003.gguf")
    second.write_bytes(first.with_name("model-00003-of-00003.gguf").read_bytes())
    assert header_error(first) == f"{second} is part 3 of 3 of a model, expected part 2 of 3"


def test_a_first_part_with_another_name_cannot_find_the_others(path: Path) -> None:
    first = write_gguf(path, n_tensors=5, tensors_in_part=2)
    renamed = first.rename(path.with_name("renamed.gguf"))
    assert "its name is expected to end in -00001-of-00003.gguf" in header_error(renamed)


def test_parts_with_other_tensors_than_announced(path: Path) -> None:
    def metadata(writer: GGUFWriter) -> None:
        add_metadata(writer)
        writer.add_int32("split.tensors.count", 9)

    assert header_error(write_gguf(path, metadata)).endswith("hold 2 tensors, expected 9")
