import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.errors import HubError
from tests.models.hub_server import HubServer, serve_files

hub = pytest.importorskip("models.hub", reason="the extra `hub` is not installed", exc_type=ImportError)
constants = pytest.importorskip("huggingface_hub.constants")

REPOSITORY = "tiny/stories"
FILES = {
    "README.md": b"about",
    "m-Q4_K_M.gguf": b"four bits" * 1000,
    "m-Q8_0.gguf": b"eight bits" * 1000,
    "m-F16-00001-of-00002.gguf": b"first",
    "m-F16-00002-of-00002.gguf": b"second",
}


def use_hub(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Has the effect of the variable HF_ENDPOINT, which is read only once in a process."""
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")


def use_cache(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Lets downloads go to an empty cache in this folder, without a token."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", "")


@pytest.fixture(autouse=True)
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A hub with FILES, and an empty cache."""
    with serve_files(dict(FILES)) as server:
        use_hub(monkeypatch, server.url)
        use_cache(monkeypatch, tmp_path)
        yield server


def fetch(
    repository: str = REPOSITORY, file: str | None = None, token: str | None = None, offline: bool = False
) -> Path:
    path = hub.fetch(repository, file, token, offline)
    assert isinstance(path, Path)
    return path


def fetch_error(
    repository: str = REPOSITORY, file: str | None = None, token: str | None = None, offline: bool = False
) -> str:
    """Returns the error of fetching a model, which is one line."""
    with pytest.raises(HubError) as caught:
        fetch(repository, file, token, offline)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        use_hub(monkeypatch, f"http://127.0.0.1:{unused.getsockname()[1]}")


def test_a_model_is_downloaded() -> None:
    assert fetch().read_bytes() == FILES["m-Q4_K_M.gguf"]


def test_a_model_is_downloaded_once(server: HubServer) -> None:
    assert fetch() == fetch()
    assert server.downloads == [("m-Q4_K_M.gguf", None)]


def test_a_quantization_chooses_the_file() -> None:
    assert fetch("tiny/stories:q8_0").read_bytes() == FILES["m-Q8_0.gguf"]


def test_a_file_can_be_named() -> None:
    assert fetch(file="m-Q8_0.gguf").name == "m-Q8_0.gguf"


def test_all_parts_of_a_split_model_are_downloaded_and_the_first_is_returned() -> None:
    first = fetch("tiny/stories:F16")
    assert first.read_bytes() == b"first"
    assert first.with_name("m-F16-00002-of-00002.gguf").read_bytes() == b"second"


def test_a_download_that_breaks_off_goes_on_where_it_was(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1500)
    server.interrupted_files.add("m-Q4_K_M.gguf")
    assert fetch().read_bytes() == FILES["m-Q4_K_M.gguf"]
    assert server.downloads == [("m-Q4_K_M.gguf", None), ("m-Q4_K_M.gguf", "bytes=4500-")]


def test_a_token_opens_a_private_repository(server: HubServer) -> None:
    server.token = "hf_secret"
    assert fetch(token="hf_secret").exists()


def test_a_private_repository_without_a_token(server: HubServer) -> None:
    server.token = "hf_secret"
    message = fetch_error()
    assert message.startswith("tiny/stories is not on the hub, or it is private and needs a token")
    assert "--hf-token or HF_TOKEN" in message


def test_a_repository_that_does_not_exist() -> None:
    assert fetch_error("tiny/nothing").startswith("tiny/nothing is not on the hub, or it is private")


def test_a_gated_repository(server: HubServer) -> None:
    server.gated = True
    assert fetch_error().startswith("tiny/stories/m-Q4_K_M.gguf is gated on the hub: it needs its conditions accepted")


def test_a_name_that_no_repository_can_have() -> None:
    assert fetch_error("tiny/-stories-") == "tiny/-stories- cannot be a repository's name, expected USER/REPO"


def test_a_quantization_that_is_not_there() -> None:
    assert fetch_error("tiny/stories:Q2_K") == (
        "tiny/stories has no model packed as Q2_K, only F16, Q4_K_M, Q8_0 (on the hub)"
    )


def test_a_hub_in_trouble(server: HubServer) -> None:
    server.error_status = 500
    assert fetch_error() == "the hub answers 500 for tiny/stories"


@pytest.mark.usefixtures("no_network")
def test_without_a_network_and_without_a_cache() -> None:
    assert fetch_error() == "the hub cannot be reached for tiny/stories (ConnectError)"


def test_without_a_network_the_cache_serves(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    path = fetch()
    use_hub(monkeypatch, "http://127.0.0.1:9")
    with caplog.at_level(logging.WARNING):
        assert fetch() == path
    assert "the hub cannot be reached for tiny/stories (ConnectError), so the model comes from the cache" in caplog.text


def test_offline_the_cache_serves_and_the_hub_is_not_asked(server: HubServer) -> None:
    path = fetch()
    server.error_status = 500
    assert fetch(offline=True) == path


def test_offline_without_a_cache() -> None:
    assert fetch_error(offline=True) == "tiny/stories is not in the local cache, and --offline allows no download"


def test_offline_with_another_quantization_in_the_cache() -> None:
    fetch()
    assert fetch_error("tiny/stories:Q8_0", offline=True) == (
        "tiny/stories has no model packed as Q8_0, only Q4_K_M (in the local cache)"
    )


def test_a_download_says_what_it_takes_from_where(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        fetch()
    assert "Taking m-Q4_K_M.gguf from tiny/stories on the hub, unless it is in the local cache" in caplog.text
