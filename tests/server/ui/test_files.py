"""What is served at /, and how: without a key, with ETags, under a strict policy, and small."""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import requests

from server.ui.page import FOLDER
from tests.conftest import running_server

MAX_BYTES = 150_000
ROOT = Path(__file__).parents[3]
FILES = [path for path in FOLDER.rglob("*") if path.is_file()]
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def test_a_browser_gets_the_page(server: str) -> None:
    response = requests.get(f"{server}/", headers=BROWSER)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/html")
    assert "<title>llama-slots</title>" in response.text
    assert "Accept" in response.headers["Vary"]


def test_a_program_does_not_get_the_page(server: str) -> None:
    for headers in ({"Accept": "*/*"}, {"Accept": "application/json"}):
        assert "html" not in requests.get(f"{server}/", headers=headers).text


def test_every_file_that_the_page_names_is_served(server: str) -> None:
    names = set(re.findall(r'(?:href|src)="(ui/[^"]+)"', (FOLDER / "index.html").read_text()))
    names |= {f"ui/{path.relative_to(FOLDER)}" for path in FILES if path.suffix == ".js"}
    assert {"ui/style.css", "ui/app.js", "ui/chat/tokens.js"} <= names
    for name in names:
        response = requests.get(f"{server}/{name}")
        assert response.status_code == 200, name
        kind = "text/javascript" if name.endswith(".js") else "text/css"
        assert response.headers["Content-Type"].startswith(kind)


def test_a_file_that_has_not_changed_is_not_sent_again(server: str) -> None:
    etag = requests.get(f"{server}/ui/app.js").headers["ETag"]
    again = requests.get(f"{server}/ui/app.js", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Cache-Control"] == "no-cache"


def test_no_other_file_is_served(server: str) -> None:
    for name in ("nothing.js", "%2e%2e/page.py", "chat", "chat/%2e%2e/%2e%2e/page.py"):
        assert requests.get(f"{server}/ui/{name}").status_code == 404, name


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere(server: str) -> None:
    policy = requests.get(f"{server}/", headers=BROWSER).headers["Content-Security-Policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == directives["connect-src"] == "'self'"
    assert directives["frame-ancestors"] == "'none'"
    page = (FOLDER / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
    assert not re.search(r'(?:href|src)="(?:https?:)?//', page)


def test_the_page_is_small() -> None:
    assert sum(path.stat().st_size for path in FILES) < MAX_BYTES


def test_the_wheel_has_every_file() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["server.ui"]
    for path in FILES:
        name = str(path.relative_to(FOLDER.parent))
        assert any(fnmatch(name, pattern) and name.count("/") == pattern.count("/") for pattern in patterns), name


def test_no_ui_turns_it_off(tmp_path: Path) -> None:
    with running_server(tmp_path, "--no-ui", "--ui-config", '{"temperature": 0.25}', "--api-prefix", "/llm") as url:
        assert "html" not in requests.get(f"{url}/llm/", headers=BROWSER).text
        assert requests.get(f"{url}/llm/ui/app.js").status_code == 404
        props = requests.get(f"{url}/llm/props").json()
        assert (props["ui"], props["ui_settings"]) == (False, {"temperature": 0.25})
