"""GET /docs: a page over /openapi.json that needs nothing from the network."""

import re
from pathlib import Path

import pytest

from tests.conftest import running_server
from tests.server.http_client import get

TYPES = {"css": "text/css", "js": "text/javascript", "png": "image/png"}


def files(page: str) -> list[str]:
    return re.findall(r'(?:src|href)="([^"]+)"', page)


def test_every_file_of_the_page_comes_from_the_server_itself(server: str) -> None:
    page = get(f"{server}/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    assert len(files(page.text)) == 5
    for name in files(page.text):
        response = get(f"{server}/{name}")
        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith(TYPES[name.rpartition(".")[2]])
    assert "//" not in page.text


def test_it_has_a_swagger_ui_that_reads_openapi_3_1(server: str) -> None:
    assert get(f"{server}/openapi.json").json()["openapi"] == "3.1.0"
    bundle = get(f"{server}/docs/swagger-ui-bundle.js").text
    assert "SwaggerUIBundle" in bundle
    assert "openapi31" in bundle.lower() or "oas31" in bundle.lower()


@pytest.mark.parametrize("path", ["/docs", "/docs/docs.js", "/docs/swagger-ui-bundle.js"])
def test_scripts_and_requests_are_limited_to_the_server(path: str, server: str) -> None:
    policy = get(server + path).headers["Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["frame-ancestors"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert "unsafe" not in policy


def test_no_script_or_style_stands_in_the_page_itself(server: str) -> None:
    page = get(f"{server}/docs").text
    assert re.search(r"<script(?! (src|type=\"module\" src)=)|<style| style=| on\w+=", page) is None


@pytest.mark.parametrize("name", ["docs.py", "..%2Fopenapi.py", "index.html"])
def test_other_files_are_not_served(name: str, server: str) -> None:
    assert get(f"{server}/docs/{name}").status_code == 404


def test_it_works_below_a_prefix_and_asks_for_the_key(tmp_path: Path) -> None:
    with running_server(tmp_path, "--api-prefix", "/llm", "--api-key", "secret") as url:
        page = get(f"{url}/llm/docs")
        assert page.status_code == 200
        assert [get(f"{url}/llm/{name}").status_code for name in files(page.text)] == [200] * 5
        assert get(f"{url}/llm/openapi.json").status_code == 401
