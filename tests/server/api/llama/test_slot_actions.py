"""A server that saves slots to a folder and restores them from there."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import running_server
from tests.server.http_client import SECONDS, Json, begun_stream, complete, get, get_error, post, tokenize

TALE = "The old clock of the town hall struck twelve, and all the cats of the town came to the square. " * 4
MORE = TALE + "Then"
NO_SLOT = "id_slot: expected a slot from 0 to 1, got "


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("slots")


@pytest.fixture(scope="module")
def saving_server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("saving")
    # Nothing is parked, so that what was erased is gone.
    with running_server(log, "--parallel", "2", "--cache-ram", "0", "--slot-save-path", str(folder)) as url:
        yield url


def act(url: str, slot_id: object, action: str | None, **body: object) -> requests.Response:
    params = {} if action is None else {"action": action}
    return requests.post(f"{url}/slots/{slot_id}", params=params, json=body, timeout=SECONDS)


def done(url: str, slot_id: int, action: str, **body: object) -> Json:
    response = act(url, slot_id, action, **body)
    assert response.status_code == 200, response.text
    result: Json = response.json()
    return result


def refusal(response: requests.Response, status: int = 400) -> str:
    error = get_error(response)
    assert error["code"] == status
    return str(error["message"])


def fill(url: str, slot_id: int, prompt: str = TALE, **options: Any) -> Json:
    result: Json = complete(url, prompt=prompt, slot_id=slot_id, cache_prompt=True, **options)
    return result


def n_cells(url: str, slot_id: int) -> int:
    return int(get(f"{url}/slots").json()[slot_id]["n_cached_tokens"])


def erase_all(url: str) -> None:
    for slot_id in (0, 1):
        done(url, slot_id, "erase")


def test_save_says_what_it_wrote(saving_server: str, folder: Path) -> None:
    fill(saving_server, 0)
    reply = done(saving_server, 0, "save", filename="said.bin")
    assert reply.keys() == {"id_slot", "filename", "n_saved", "n_written", "timings"}
    assert (reply["id_slot"], reply["filename"]) == (0, "said.bin")
    assert reply["n_saved"] == n_cells(saving_server, 0) >= len(tokenize(saving_server, TALE))
    assert reply["n_written"] == (folder / "said.bin").stat().st_size
    assert reply["timings"]["save_ms"] > 0


def test_restore_says_what_it_read(saving_server: str) -> None:
    fill(saving_server, 0)
    saved = done(saving_server, 0, "save", filename="read.bin")
    reply = done(saving_server, 1, "restore", filename="read.bin")
    assert reply.keys() == {"id_slot", "filename", "n_restored", "n_read", "timings"}
    assert (reply["id_slot"], reply["filename"]) == (1, "read.bin")
    assert (reply["n_restored"], reply["n_read"]) == (saved["n_saved"], saved["n_written"])
    assert reply["timings"]["restore_ms"] > 0


def test_erase_says_how_much(saving_server: str) -> None:
    fill(saving_server, 1)
    n_before = n_cells(saving_server, 1)
    assert done(saving_server, 1, "erase") == {"id_slot": 1, "n_erased": n_before}
    assert n_cells(saving_server, 1) == 0
    assert done(saving_server, 1, "erase")["n_erased"] == 0


def test_what_is_erased_is_computed_again(saving_server: str) -> None:
    fill(saving_server, 0)
    erase_all(saving_server)
    assert fill(saving_server, 0)["tokens_cached"] == 0


def test_erase_takes_any_body_or_none(saving_server: str) -> None:
    assert requests.post(f"{saving_server}/slots/0?action=erase", data=b"{", timeout=SECONDS).status_code == 200


@pytest.mark.parametrize("slot_id", [0, 1])
def test_restored_slot_goes_on_as_if_it_had_never_been_away(saving_server: str, slot_id: int) -> None:
    fill(saving_server, 0, n_predict=1)
    undisturbed = fill(saving_server, 0, MORE, n_predict=24, ignore_eos=True)
    erase_all(saving_server)
    fill(saving_server, 0, n_predict=1)
    n_saved = done(saving_server, 0, "save", filename="tale.bin")["n_saved"]
    erase_all(saving_server)
    done(saving_server, slot_id, "restore", filename="tale.bin")
    restored = fill(saving_server, slot_id, MORE, n_predict=24, ignore_eos=True)
    assert restored["content"] == undisturbed["content"]
    assert restored["tokens_cached"] == undisturbed["tokens_cached"] >= n_saved - 1


def test_restored_slot_belongs_to_whom_it_belonged(saving_server: str) -> None:
    fill(saving_server, 0, cache_salt="mine")
    done(saving_server, 0, "save", filename="mine.bin")
    erase_all(saving_server)
    done(saving_server, 1, "restore", filename="mine.bin")
    assert fill(saving_server, 0)["tokens_cached"] == 0
    assert fill(saving_server, 1, cache_salt="mine")["tokens_cached"] > 0


def test_salt_cannot_be_read_in_the_file(saving_server: str, folder: Path) -> None:
    fill(saving_server, 0, cache_salt="whispered")
    done(saving_server, 0, "save", filename="salted.bin")
    assert b"whispered" not in (folder / "salted.bin").read_bytes()


def test_empty_slot_is_not_saved(saving_server: str, folder: Path) -> None:
    done(saving_server, 0, "erase")
    assert refusal(act(saving_server, 0, "save", filename="empty.bin")).startswith("id_slot: ")
    assert not (folder / "empty.bin").exists()


@pytest.mark.parametrize("action", ["save", "erase"])
def test_action_waits_until_the_slot_is_idle(saving_server: str, action: str) -> None:
    with ThreadPoolExecutor(1) as clients, begun_stream(saving_server, slot_id=0, n_predict=300) as stream:
        acting = clients.submit(done, saving_server, 0, action, filename="later.bin")
        assert [event["stop"] for event in stream][-1]
        reply = acting.result()
    assert reply["n_saved" if action == "save" else "n_erased"] >= 300


def test_actions_on_one_slot_at_once_all_succeed(saving_server: str) -> None:
    fill(saving_server, 0)
    with ThreadPoolExecutor(8) as clients:
        saving = [clients.submit(done, saving_server, 0, "save", filename="at-once.bin") for _ in range(4)]
        assert len({saved.result()["n_saved"] for saved in saving}) == 1
        restoring = [clients.submit(done, saving_server, n % 2, "restore", filename="at-once.bin") for n in range(8)]
        assert len({restored.result()["n_restored"] for restored in restoring}) == 1


@pytest.mark.parametrize("slot_id", ["2", "-1", "first", "0x0", "1.0", "9" * 30, "%D9%A1"])
@pytest.mark.parametrize("action", ["save", "restore", "erase"])
def test_slot_there_is_not_is_refused(saving_server: str, slot_id: str, action: str) -> None:
    assert refusal(act(saving_server, slot_id, action, filename="a")).startswith(NO_SLOT)


@pytest.mark.parametrize(("action", "got"), [(None, "nothing"), ("", '""'), ("dump", '"dump"'), ("Save", '"Save"')])
def test_unknown_action_is_refused(saving_server: str, action: str | None, got: str) -> None:
    expected = f"action: expected save, restore or erase, got {got}"
    assert refusal(act(saving_server, 0, action, filename="a")) == expected


@pytest.mark.parametrize("name", [None, 5, "", "..", "../out", "/etc/passwd", "a\\b", ".a", "a\0", "a" * 256])
@pytest.mark.parametrize("action", ["save", "restore"])
def test_what_is_no_name_of_a_file_is_refused(saving_server: str, action: str, name: object) -> None:
    message = refusal(act(saving_server, 0, action, filename=name))
    assert message.startswith("filename: expected the name of a file, without a path or a dot in front, ")


def test_body_has_to_be_an_object(saving_server: str) -> None:
    response = requests.post(f"{saving_server}/slots/0?action=save", timeout=SECONDS)
    assert refusal(response) == "body: expected a JSON object, got nothing"


def test_file_that_is_not_there(saving_server: str) -> None:
    message = refusal(act(saving_server, 0, "restore", filename="none.bin"), 404)
    assert message == "filename: expected a saved slot, there is no none.bin"


def test_link_out_of_the_folder_is_not_followed(saving_server: str, folder: Path) -> None:
    done(saving_server, 0, "save", filename="linked.bin")
    (folder / "link.bin").symlink_to(folder / "linked.bin")
    message = refusal(act(saving_server, 0, "restore", filename="link.bin"))
    assert message == "filename: expected a regular file, link.bin is something else"


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda data: data[:-1], "that is truncated"),
        (lambda data: data[:-100] + bytes(100), "that is damaged"),
        (lambda data: b"GGUF" + data, "of another kind"),
    ],
)
def test_file_that_is_spoiled_says_how_and_changes_nothing(
    saving_server: str, folder: Path, spoil: Any, what: str
) -> None:
    fill(saving_server, 0)
    done(saving_server, 0, "save", filename="good.bin")
    (folder / "spoiled.bin").write_bytes(spoil((folder / "good.bin").read_bytes()))
    message = refusal(act(saving_server, 0, "restore", filename="spoiled.bin"))
    assert message.startswith(f"filename: expected a slot that was saved from this model, got a file {what}")
    assert fill(saving_server, 0)["tokens_cached"] > 0


def test_slot_of_other_types_of_the_cache_is_refused(saving_server: str, folder: Path, tmp_path: Path) -> None:
    fill(saving_server, 0)
    done(saving_server, 0, "save", filename="f16.bin")
    with running_server(tmp_path, "--parallel", "2", "-ctk", "q8_0", "--slot-save-path", str(folder)) as other:
        assert "got a file of another model" in refusal(act(other, 0, "restore", filename="f16.bin"))


def test_slot_outlives_the_server(saving_server: str, folder: Path, tmp_path: Path) -> None:
    fill(saving_server, 0)
    done(saving_server, 0, "save", filename="kept.bin")
    with running_server(tmp_path, "--parallel", "2", "--slot-save-path", str(folder)) as other:
        done(other, 0, "restore", filename="kept.bin")
        assert fill(other, 0)["tokens_cached"] > 0


@pytest.mark.parametrize("action", ["save", "restore", "erase", "dump"])
def test_server_without_a_folder_says_how_to_get_one(server: str, action: str) -> None:
    error = get_error(act(server, 0, action, filename="a"))
    assert (error["code"], error["type"]) == (501, "not_supported_error")
    assert error["message"] == "This server does not support slots action. Start it with `--slot-save-path`"


def test_slot_is_not_got_alone(saving_server: str) -> None:
    assert refusal(get(f"{saving_server}/slots/0"), 405) == "/slots/0 takes POST, got GET"


def test_nothing_but_saved_slots_is_left_in_the_folder(saving_server: str, folder: Path) -> None:
    post(saving_server, {"filename": "last.bin"}, "/slots/0?action=save")
    assert all(path.suffix == ".bin" for path in folder.iterdir())
