"""A server with a projector of pictures and sounds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import running_server
from tests.slots.multimodal.media_files import RED, png
from tests.slots.multimodal.projectors import projector

KIND = "gemma4uv+gemma4ua"


@pytest.fixture(scope="session")
def media_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    (folder / "red.png").write_bytes(png(RED))
    (folder / "outside.png").symlink_to("/etc/hostname")
    return folder


@pytest.fixture(scope="session")
def media_server(tmp_path_factory: pytest.TempPathFactory, media_folder: Path) -> Iterator[str]:
    """The URL of a server whose model takes pictures and sounds, from 127.0.0.1 and a folder as well."""
    flags = ("--mmproj", str(projector(KIND)), "--media-path", str(media_folder), "--media-url-hosts", "127.0.0.1")
    limits = ("--media-max-pixels", "1000000", "--media-max-seconds", "10", "--media-max-bytes", "500000")
    slots = ("--slot-save-path", str(media_folder), "--slots-prompts")
    with running_server(tmp_path_factory.mktemp("media_server"), *flags, *limits, *slots) as url:
        yield url
