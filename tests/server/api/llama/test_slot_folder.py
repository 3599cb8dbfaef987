import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.api.llama.slot_files import SlotFolder, as_file_name
from server.http.errors import ApiError
from slots.cache.saved_slot import SavedSlot
from slots.errors import InvalidRequest
from slots.requests.scope import CacheScope

SAVED = SavedSlot((1, 2, 3), 3, CacheScope(), np.arange(100, dtype=np.uint8))
WRONG_NAMES = [
    *(None, 5, "", ".", "..", ".hidden", "/etc/passwd", "../up", "down/under", "a\\b", "C:\\a", "nul\0", "line\nend"),
    *("bell\a", "\x7f", "\x85", "a" * 256, "ä" * 128),
]


@pytest.fixture
def folder(tmp_path: Path) -> SlotFolder:
    return SlotFolder(tmp_path)


@pytest.mark.parametrize("name", WRONG_NAMES)
def test_what_is_no_name_of_a_file_is_refused(name: object) -> None:
    with pytest.raises(InvalidRequest, match=r"^filename: expected the name of a file, without a path "):
        as_file_name("filename", name)


@pytest.mark.parametrize(
    "name", ["slot.bin", "a", "with space", "Gespräch.slot", "~", "a..b", "a" * 255, "日本語", "-rf"]
)
def test_any_other_name_is_taken(folder: SlotFolder, name: str) -> None:
    folder.write(as_file_name("filename", name), SAVED, "f")
    assert folder.read(name, "f")[0].tokens == SAVED.tokens


@given(st.text(max_size=10) | st.sampled_from(["..", ".", "/", "\\"]))
def test_a_name_never_leads_out_of_a_folder(text: str) -> None:
    folder = Path("/some/folder")
    try:
        path = folder / as_file_name("filename", text)
    except InvalidRequest:
        return
    assert (path.parent, path.name) == (folder, text)
    assert Path(os.path.normpath(path)) == path


def test_sizes_are_those_of_the_file(folder: SlotFolder, tmp_path: Path) -> None:
    n_written = folder.write("slot", SAVED, "f")
    assert n_written == (tmp_path / "slot").stat().st_size == folder.read("slot", "f")[1]


def test_a_file_is_replaced_as_a_whole_and_nothing_else_is_left(folder: SlotFolder, tmp_path: Path) -> None:
    (tmp_path / "slot").write_bytes(b"x" * 10_000)
    folder.write("slot", SAVED, "f")
    assert folder.read("slot", "f")[0].tokens == SAVED.tokens
    assert [path.name for path in tmp_path.iterdir()] == ["slot"]


def test_files_are_their_owners_alone(folder: SlotFolder, tmp_path: Path) -> None:
    folder.write("slot", SAVED, "f")
    assert (tmp_path / "slot").stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_written_leaves_the_old_one(
    folder: SlotFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write("slot", SAVED, "f")

    def fail(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("server.api.llama.slot_files.write_slot", fail)
    with pytest.raises(ApiError, match=r"^filename: slot cannot be written: No space left on device$") as caught:
        folder.write("slot", SAVED, "f")
    assert caught.value.status == 500
    assert folder.read("slot", "f")[0].tokens == SAVED.tokens
    assert len(list(tmp_path.iterdir())) == 1


def test_a_link_is_not_followed_when_reading(folder: SlotFolder, tmp_path: Path) -> None:
    folder.write("slot", SAVED, "f")
    (tmp_path / "link").symlink_to(tmp_path / "slot")
    with pytest.raises(InvalidRequest, match=r"^filename: expected a regular file"):
        folder.read("link", "f")


def test_a_link_is_not_followed_when_writing(folder: SlotFolder, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("untouched")
    (tmp_path / "link").symlink_to(target)
    folder.write("link", SAVED, "f")
    assert target.read_text() == "untouched"
    assert not (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_only_regular_files_are_read(folder: SlotFolder, tmp_path: Path, make: object) -> None:
    assert callable(make)
    make(tmp_path / "other")
    with pytest.raises(InvalidRequest, match=r"^filename: expected a regular file"):
        folder.read("other", "f")


def test_a_folder_is_not_replaced(folder: SlotFolder, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    with pytest.raises(InvalidRequest, match=r"^filename: expected a regular file"):
        folder.write("inner", SAVED, "f")
    assert [path.name for path in tmp_path.iterdir()] == ["inner"]


def test_a_file_that_is_not_there(folder: SlotFolder) -> None:
    with pytest.raises(ApiError, match=r"^filename: expected a saved slot, there is no slot$") as caught:
        folder.read("slot", "f")
    assert caught.value.status == 404
