"""Which projector (mmproj file) comes with a model of the hub, and how it is downloaded."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from models.source import ModelSource, resolve, resolve_projector
from server.cli.configuration import Configuration
from tests.models.hub_server import HubServer, serve_files
from tests.server.cli.flag_parsing import parse_flags

hub = pytest.importorskip("models.hub", reason="the extra `hub` is not installed", exc_type=ImportError)

from tests.models.test_hub import use_cache, use_hub  # noqa: E402 - it needs the extra as well

REPOSITORY = "tiny/stories"
FILES = {
    "m-Q4_K_M.gguf": b"four bits" * 1000,
    "m-Q8_0.gguf": b"eight bits" * 1000,
    "mmproj-m-F16.gguf": b"sixteen bits",
    "mmproj-m-Q8_0.gguf": b"eight bits of eyes",
    "large/m-large-Q4_K_M.gguf": b"large",
    "large/mmproj-m-large-F16.gguf": b"eyes of the large one",
}


@pytest.fixture(autouse=True)
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A hub with FILES, and an empty cache."""
    with serve_files(dict(FILES)) as server:
        use_hub(monkeypatch, server.url)
        use_cache(monkeypatch, tmp_path)
        yield server


def projector(*flags: str) -> Path | None:
    """Returns the projector that the server takes with these flags."""
    configuration: Configuration = parse_flags("-hf", REPOSITORY, *flags)
    return configuration.projector(resolve(configuration.source))


def choose(names: list[str], model: str) -> str | None:
    chosen = hub.choose_projector(names, model)
    assert chosen is None or isinstance(chosen, str)
    return chosen


def test_the_projector_beside_the_model_is_downloaded() -> None:
    path = projector()
    assert path is not None
    assert path.name == "mmproj-m-Q8_0.gguf"
    assert path.read_bytes() == FILES["mmproj-m-Q8_0.gguf"]


def test_it_is_downloaded_once(server: HubServer) -> None:
    assert projector() == projector()
    assert [name for name, _ in server.downloads] == ["m-Q4_K_M.gguf", "mmproj-m-Q8_0.gguf"]


def test_offline_it_comes_from_the_cache(server: HubServer) -> None:
    downloaded = projector()
    server.error_status = 500
    assert projector("--offline") == downloaded


def test_the_model_of_a_folder_gets_the_projector_of_that_folder() -> None:
    path = projector("--hf-file", "large/m-large-Q4_K_M.gguf")
    assert path is not None
    assert path.name == "mmproj-m-large-F16.gguf"


def test_no_mmproj_downloads_none(server: HubServer) -> None:
    assert projector("--no-mmproj") is None
    assert [name for name, _ in server.downloads] == ["m-Q4_K_M.gguf"]


def test_who_computes_only_embeddings_downloads_none() -> None:
    assert projector("--embedding") is None


def test_mmproj_wins_over_the_one_of_the_hub(server: HubServer, tmp_path: Path) -> None:
    assert projector("--mmproj", str(tmp_path / "own.gguf")) == tmp_path / "own.gguf"
    assert [name for name, _ in server.downloads] == ["m-Q4_K_M.gguf"]


def test_mmproj_url_names_a_file_of_a_repository() -> None:
    path = projector("--mmproj-url", f"https://huggingface.co/{REPOSITORY}/resolve/main/mmproj-m-F16.gguf")
    assert path is not None
    assert path.read_bytes() == FILES["mmproj-m-F16.gguf"]


def test_a_repository_without_a_projector_has_none(server: HubServer) -> None:
    for name in [name for name in server.files if "mmproj" in name]:
        del server.files[name]
    source = ModelSource(repository=REPOSITORY)
    assert resolve_projector(source, resolve(source)) is None


@pytest.mark.parametrize(
    ("bits", "chosen"), [("Q2_K", "mmproj-Q4_0.gguf"), ("Q8_0", "mmproj-Q8_0.gguf"), ("BF16", "mmproj-F16.gguf")]
)
def test_of_several_the_one_with_the_most_similar_bits_is_chosen(bits: str, chosen: str) -> None:
    names = [f"m-{bits}.gguf", "mmproj-F32.gguf", "mmproj-F16.gguf", "mmproj-Q8_0.gguf", "mmproj-Q4_0.gguf"]
    assert choose(names, names[0]) == chosen


def test_a_projector_in_a_folder_above_is_taken_and_one_in_another_folder_is_not() -> None:
    assert choose(["Q8_0/m.gguf", "mmproj-F16.gguf"], "Q8_0/m.gguf") == "mmproj-F16.gguf"
    assert choose(["Q8_0/m.gguf", "other/mmproj-F16.gguf"], "Q8_0/m.gguf") is None


def test_the_nearest_folder_counts_more_than_the_bits() -> None:
    names = ["Q8_0/m.gguf", "mmproj-Q8_0.gguf", "Q8_0/mmproj-F32.gguf"]
    assert choose(names, names[0]) == "Q8_0/mmproj-F32.gguf"
