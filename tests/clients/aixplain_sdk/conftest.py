"""aiXplain's SDK in two versions, connected to a server with keys."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.aixplain_sdk.sdk import KEY, Sdk, running_sdk
from tests.conftest import running_server

VERSIONS = ("0.2.48", "0.2.36")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server with two keys."""
    flags = ("--alias", "bundled", "--api-key", KEY, "--api-key", "other")
    with running_server(tmp_path_factory.mktemp("guarded"), *flags) as url:
        yield url


@pytest.fixture(scope="module", params=VERSIONS)
def sdk(request: pytest.FixtureRequest, guarded: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sdk]:
    folder: Path = tmp_path_factory.mktemp("sdk")
    with running_sdk(request.param, guarded, folder) as running:
        yield running
