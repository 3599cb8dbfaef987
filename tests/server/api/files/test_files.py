"""/v1/files: forms that are streamed to the disk, in the shapes of LLM Engine and OpenAI at once."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import running_server
from tests.server.http_client import SECONDS, get

MAX_MIB = 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    flags = ("--fine-tune-path", str(folder / "fine-tunes"), "--fine-tune-max-file", str(MAX_MIB))
    with running_server(folder, *flags) as started:
        yield f"{started}/v1/files"


def upload(url: str, content: bytes, name: str = "data.csv", **fields: str) -> Any:
    response = requests.post(url, files={"file": (name, content)}, data=fields, timeout=SECONDS)
    assert response.status_code == 200, response.text
    return response.json()


def error_of(response: requests.Response, status: int) -> str:
    assert response.status_code == status, response.text
    body = response.json()
    assert body["error"]["message"] == body["detail"]
    detail: str = body["detail"]
    return detail


def test_a_file_has_both_shapes(url: str) -> None:
    content = "prompt,response\nÄ,Ö\n".encode()
    file = upload(url, content, purpose="fine-tune")
    assert file["id"].startswith("file-")
    assert (file["filename"], file["size"], file["bytes"]) == ("data.csv", 20, 22)
    assert (file["object"], file["purpose"], file["status"]) == ("file", "fine-tune", "processed")
    assert get(f"{url}/{file['id']}").json() == file
    listed = get(url).json()
    assert file in listed["files"]
    assert listed["files"] == listed["data"]


def test_the_content_is_the_file_or_its_text_for_llm_engine(url: str) -> None:
    file = upload(url, b"a\r\n\x00b")["id"]
    assert get(f"{url}/{file}/content").content == b"a\r\n\x00b"
    basic = requests.get(f"{url}/{file}/content", auth=("key", ""), timeout=SECONDS)
    assert basic.json() == {"id": file, "content": "a\r\n\x00b", "encoding": "utf-8"}


def test_a_binary_file_is_a_string_in_base64(url: str) -> None:
    file = upload(url, b"\xff\x00\xfe")
    assert file["size"] == 3
    answer = requests.get(f"{url}/{file['id']}/content", auth=("key", ""), timeout=SECONDS).json()
    assert (base64.b64decode(answer["content"]), answer["encoding"]) == (b"\xff\x00\xfe", "base64")


def test_a_text_is_counted_in_characters_across_pieces(url: str) -> None:
    text = "äöü€" * 50_000
    assert upload(url, text.encode())["size"] == len(text)
    assert upload(url, text.encode()[:-1])["size"] == len(text.encode()) - 1  # it ends within a character


def test_the_name_on_the_disk_is_the_servers(url: str, folder: Path) -> None:
    file = upload(url, b"a", name="../../evil.csv")
    assert file["filename"] == "evil.csv"
    path = folder / "fine-tunes" / "files" / file["id"]
    assert path.read_bytes() == b"a"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_deleted_file_is_gone(url: str, folder: Path) -> None:
    file = upload(url, b"a")["id"]
    assert requests.delete(f"{url}/{file}", timeout=SECONDS).json() == {"id": file, "object": "file", "deleted": True}
    assert not (folder / "fine-tunes" / "files" / file).exists()
    for response in (get(f"{url}/{file}"), get(f"{url}/{file}/content"), requests.delete(f"{url}/{file}", timeout=9)):
        assert error_of(response, 404) == f"file: expected the id of an uploaded file, got {file}"


def test_a_list_has_pages(url: str) -> None:
    names = [f"{number}.csv" for number in range(3)]
    files = [upload(url, b"a", name, purpose="pages")["id"] for name in names]
    first = get(f"{url}?purpose=pages&limit=2").json()
    assert [file["id"] for file in first["data"]] == files[:0:-1]
    assert (first["has_more"], first["first_id"], first["last_id"]) == (True, files[2], files[1])
    rest = get(f"{url}?purpose=pages&limit=2&after={first['last_id']}").json()
    assert ([file["id"] for file in rest["data"]], rest["has_more"]) == ([files[0]], False)
    assert [file["id"] for file in get(f"{url}?purpose=pages&order=asc").json()["data"]] == files


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "after=file-none"])
def test_a_wrong_place_in_a_list_is_refused(query: str, url: str) -> None:
    assert error_of(get(f"{url}?{query}"), 400).startswith(query.partition("=")[0])


def test_a_file_above_the_limit_is_refused(url: str, folder: Path) -> None:
    assert upload(url, b"x" * 1024 * 1024 * MAX_MIB)["bytes"] == 1024 * 1024 * MAX_MIB
    before = list((folder / "fine-tunes" / "files").iterdir())
    response = requests.post(url, files={"file": b"x" * (1024 * 1024 * MAX_MIB + 1)}, timeout=SECONDS)
    assert error_of(response, 413) == f"file: expected at most {1024 * 1024 * MAX_MIB} bytes, got more"
    assert list((folder / "fine-tunes" / "files").iterdir()) == before


@pytest.mark.parametrize(
    ("content_type", "body", "message"),
    [
        ("application/json", b"{}", "Content-Type: expected a form with a part named file"),
        ("multipart/form-data", b"", "Content-Type: expected a form with a part named file"),
        ("multipart/form-data; boundary=x", b"nonsense", "body: expected a form (multipart/form-data)"),
        ("multipart/form-data; boundary=x", b"", "body: expected the end of the form"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc',
            "body: expected the end of the form",
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nabc\r\n--x--\r\n',
            "file: expected a file in the form, got none",
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n' + b"a" * 5000 + b"\r\n--x--\r\n",
            "purpose: expected at most 4096 bytes, got more",
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\na\r\n' * 2 + b"--x--\r\n",
            "file: expected one file in the form, got several",
        ),
    ],
)
def test_another_body_is_refused(content_type: str, body: bytes, message: str, url: str, folder: Path) -> None:
    before = sorted((folder / "fine-tunes" / "files").iterdir())
    response = requests.post(url, data=body, headers={"Content-Type": content_type}, timeout=SECONDS)
    assert error_of(response, 400).startswith(message)
    assert sorted((folder / "fine-tunes" / "files").iterdir()) == before


def test_without_the_flag_there_are_no_files(server: str) -> None:
    for response in (get(f"{server}/v1/files"), requests.post(f"{server}/v1/files", timeout=SECONDS)):
        assert error_of(response, 501).endswith("start it with `--fine-tune-path DIR`")
