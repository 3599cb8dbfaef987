"""The picture of the pool, and the page on small screens, in both themes, below a prefix and with a key."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import requests
from selenium.webdriver.common.keys import Keys

from tests.conftest import running_server
from tests.server.http_client import open_stream
from tests.server.ui.browser import PHONE, Page
from tests.server.ui.conftest import OpenPage

PREFIX = "You are a helpful assistant who tells stories about cats and dogs. " * 8
HIDDEN_AXIS = "return document.documentElement.scrollWidth > innerWidth"
COLOURS = """
const luminance = (colour) => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  const linear = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((each) => {
    const value = each / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
};
const behind = (element) => {
  const colour = getComputedStyle(element).backgroundColor;
  return colour === "rgba(0, 0, 0, 0)" && element.parentElement ? behind(element.parentElement) : colour;
};
return arguments[0].map((selector) => {
  const element = document.querySelector(selector);
  const pair = [luminance(getComputedStyle(element).color), luminance(behind(element))].sort((a, b) => a - b);
  return [selector, (pair[1] + 0.05) / (pair[0] + 0.05)];
});
"""
TEXTS = [
    "h1",
    "#model",
    "#new",
    "#export",
    ".example",
    ".modes span",
    "#mode-hint",
    ".hint",
    ".fill",
    "#send",
    "#tab-settings",
]
READABLE = 4.5
"""The contrast that WCAG asks for."""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with one slot that wants a key, below a prefix."""
    flags = (
        "--parallel",
        "1",
        "--ctx-size",
        "1024",
        "--api-prefix",
        "/llm",
        "--api-key",
        "right",
        "--ui-config",
        '{"n_predict": 30}',
        "--context-shift",
    )
    with running_server(tmp_path_factory.mktemp("guarded"), *flags) as url:
        yield f"{url}/llm"


def test_a_prefix_without_its_slash_leads_to_the_page(guarded: str) -> None:
    page = requests.get(guarded, headers={"Accept": "text/html"})
    assert (page.status_code, page.url) == (200, f"{guarded}/")


def enter_key(page: Page, key: str) -> None:
    page.wait(lambda: page.shows("#key-dialog[open]"), "the question for a key")
    page.all("#key")[0].send_keys(key)
    page.click("#key-form button")


def test_the_picture_of_the_slots_moves_while_four_requests_run(open_page: OpenPage, endless_server: str) -> None:
    page = open_page(endless_server).ready()
    page.wait(lambda: len(page.texts(".slot")) == 4, "the slots")
    with ExitStack() as streams:
        for number in range(4):
            streams.enter_context(open_stream(endless_server, prompt=f"{PREFIX}Number {number}.", n_keep=-1))
        page.wait(lambda: len(page.texts(".slot[data-state=generating]")) == 4, "four busy slots")
        before = page.texts(".slot .fill")
        page.wait(lambda: all(new != old for new, old in zip(page.texts(".slot .fill"), before, strict=True)), "motion")
        assert all("tokens/s" in text for text in page.texts(".slot .speed"))
        assert sum("shared" in text for text in page.texts(".slot .fill")) >= 3
        sources = " ".join(page.texts(".slot .source"))
        assert "together with slot" in sources or "from slot" in sources or "from host memory" in sources
        assert float(page.text("#speed-now").split()[0].replace(",", "")) > 0
    page.wait(lambda: len(page.texts(".slot[data-state=idle]")) == 4, "idle slots")


def test_the_queue_and_what_is_parked_are_shown(open_page: OpenPage, guarded: str) -> None:
    page = open_page(guarded)
    enter_key(page, "right")
    page.ready()

    def run(number: int, **options: object) -> requests.Response:
        body = {"prompt": f"{PREFIX}{number}{number} stories.", "ignore_eos": True, "n_keep": -1, "stream": True}
        key = {"X-Api-Key": "right"}
        return requests.post(
            f"{guarded}/completion", json=body | options, headers=key, stream="n_predict" not in options
        )

    with ThreadPoolExecutor(2) as pool, run(11) as occupant:
        lines = occupant.iter_lines()
        assert next(lines)  # which runs until its client leaves
        waiting = pool.map(lambda number: run(number, n_predict=150), (22, 33))
        page.wait(lambda: [text.split()[0] for text in page.texts("#queue li")] == ["1.", "2."], "two that wait")
        occupant.close()
        assert [response.status_code for response in waiting] == [200] * 2
    page.wait(lambda: "2 prefixes" in page.text("#parked-text"), "parked prefixes")
    assert any("in common" in text for text in page.texts("#parked > li"))
    assert len(page.texts("#parked > li li")) >= 2
    assert "KiB" in page.text("#parked") or "MiB" in page.text("#parked-text")


def test_a_wrong_key_is_asked_for_again_and_the_right_one_kept_for_the_tab(open_page: OpenPage, guarded: str) -> None:
    page = open_page(guarded)
    enter_key(page, "wrong")
    page.wait(lambda: "does not know this key" in page.text("#key-text"), "the refusal")
    enter_key(page, "right")
    page.ready()
    page.ask("Tell me a story about a cat.")
    assert page.answer()
    assert page.stats().startswith("30 tokens")  # as the server's flag says
    assert "right" not in page.browser.execute_script("return JSON.stringify(localStorage)")
    page.browser.refresh()
    page.ready()
    assert not page.shows("#key-dialog")


def test_a_phone_has_everything_without_scrolling_sideways(open_page: OpenPage, server: str) -> None:
    page = open_page(server, PHONE).ready()
    page.click(".example")
    page.click("#send")
    page.answer()
    assert not page.browser.execute_script(HIDDEN_AXIS)
    assert not page.shows("#side")
    page.click("#side-toggle")
    page.wait(lambda: page.shows(".slot"), "the pool")
    for tab in ("settings", "format", "pool"):
        page.click(f"#tab-{tab}")
        assert page.shows(f"#panel-{tab}")
        assert not page.browser.execute_script(HIDDEN_AXIS)
    page.click("#side-close")
    assert not page.shows("#side")
    page.click("#list-toggle")
    page.click("#conversations .title")
    assert not page.shows("#list")
    page.browser.execute_script("document.querySelector('.token').scrollIntoView()")
    page.all(".message.assistant .token")[0].click()
    page.wait(lambda: page.shows("#popover"), "the likely tokens, by a tap")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_texts_are_readable_in_the_theme_of_the_system(open_page: OpenPage, server: str, dark: bool) -> None:
    page = open_page(server, dark=dark).ready()
    page.wait(lambda: page.texts(".slot .fill"), "the pool")
    contrasts = page.browser.execute_script(COLOURS, TEXTS)
    assert {selector: contrast for selector, contrast in contrasts if contrast < READABLE} == {}
    background = page.browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) < 200) == dark


def test_the_button_changes_the_theme_and_it_stays(page: Page) -> None:
    page.click("#theme")
    page.click("#theme")
    assert page.text("#theme") == "Theme: dark"
    page.browser.refresh()
    background = page.browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, background[4:-1].split(","))) < 200


def test_the_tabs_of_the_side_follow_the_arrow_keys(page: Page) -> None:
    page.click("#tab-pool")
    page.keys(Keys.ARROW_RIGHT)
    assert page.shows("#panel-settings")
    page.keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert page.shows("#panel-pool")


def test_a_server_that_is_gone_is_named(open_page: OpenPage, server: str) -> None:
    page = open_page(server).ready()
    page.command("Network.enable")
    page.command("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
    try:
        page.ask("Hello")
        page.wait(lambda: "The server does not answer" in page.text(".message .error"), "the error")
    finally:
        page.command(
            "Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )
