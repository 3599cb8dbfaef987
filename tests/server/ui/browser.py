"""A real browser without a window: Debian's chromium, and how tests use the page in it."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

SECONDS = 120
MAX_TRIES = 10
WIDE, PHONE = (1360, 900), (390, 844)
ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
Found = TypeVar("Found")


@contextmanager
def running_browser() -> Iterator[webdriver.Chrome]:
    """Gives a browser; skips the test where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("there is no browser: `apt-get install chromium chromium-driver` brings one")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield browser
    finally:
        browser.quit()


class Page:
    """The page of a server in a browser that knows nothing of it yet."""

    def __init__(
        self, browser: webdriver.Chrome, url: str, size: tuple[int, int] = WIDE, *, dark: bool = False
    ) -> None:
        self.browser = browser
        self.n_clicks = 0
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.command("Emulation.setDeviceMetricsOverride", **metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[scheme])
        self.command("Network.clearBrowserCookies")
        browser.get(f"{url}/ui/dom.js")  # a page of the same origin that does nothing
        browser.execute_script("localStorage.clear(); sessionStorage.clear()")
        browser.get(f"{url}/")

    def command(self, name: str, **parameters: object) -> Any:
        return self.browser.execute_cdp_cmd(name, parameters)

    def wait(self, find: Callable[[], Found], what: str) -> Found:
        """Returns the first result of `find` that is true."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            if found := find():
                return found
            time.sleep(0.02)
        pytest.fail(f"{what} did not appear; the page shows:\n{self.text('body')}")

    def ready(self) -> "Page":
        """Waits until the page knows the server."""
        self.wait(lambda: {"slots", "sleeps;"} & set(self.text("#model").split()), "the model")
        return self

    def all(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """Returns the texts of all elements, at one moment."""
        script = "return [...document.querySelectorAll(arguments[0])].map((each) => each.innerText)"
        texts: list[str] = self.browser.execute_script(script, selector)
        return texts

    def text(self, selector: str) -> str:
        """Returns the text of the last element; an empty one if there is none."""
        return ["", *self.texts(selector)][-1]

    def shows(self, selector: str) -> bool:
        return self._on_newest(lambda: any(element.is_displayed() for element in self.all(selector)))

    def click(self, selector: str) -> None:
        self.n_clicks += 1
        self._on_newest(lambda: self.all(selector)[-1].click())  # noqa: PLW0108 - found anew each time

    def _on_newest(self, act: Callable[[], Found]) -> Found:
        """Returns what `act` does with elements that it finds; again if the page draws them anew in between."""
        for _ in range(MAX_TRIES):
            with suppress(StaleElementReferenceException):
                return act()
        return act()

    def hover(self, element: WebElement) -> None:
        ActionChains(self.browser).move_to_element(element).perform()

    def keys(self, *keys: str) -> None:
        """Presses keys, whatever has the focus."""
        ActionChains(self.browser).send_keys(*keys).perform()

    def fill(self, selector: str, text: str) -> None:
        field = self.all(selector)[-1]
        field.clear()
        field.send_keys(text, Keys.TAB)

    def choose(self, selector: str, value: str) -> None:
        script = (
            "const field = document.querySelector(arguments[0]); field.value = arguments[1];"
            "field.dispatchEvent(new Event('change', {bubbles: true})); return field.value"
        )
        assert self.browser.execute_script(script, selector, value) == value

    def set_options(self, **options: object) -> None:
        """Fills in settings, as somebody does in the tab."""
        self.click("#tab-settings")
        for name, value in options.items():
            script = "document.getElementById(arguments[0]).closest('details').open = true"
            self.browser.execute_script(script, f"option-{name}")
            if isinstance(value, bool):
                self.choose(f"#option-{name}", json.dumps(value))
            else:
                self.fill(f"#option-{name}", str(value))

    def ask(self, text: str) -> None:
        field = self.all("#input")[0]
        field.send_keys(text, Keys.ENTER)

    def answer(self, number: int = 1) -> str:
        """Returns the text of an answer, once it is complete."""
        return self.wait(lambda: self._complete(number), f"answer {number}")

    def _complete(self, number: int) -> str:
        done = self.texts(".message.assistant[aria-busy=false]")
        bodies = self.texts(".message.assistant[aria-busy=false] > .body")
        return bodies[number - 1] or "(no text)" if len(done) >= number else ""

    def stats(self) -> str:
        return self.text(".stats")

    def complaints(self) -> list[str]:
        """Returns what the console says of broken rules and errors of the program since the last time."""
        messages = [entry["message"] for entry in self.browser.get_log("browser")]  # type: ignore[no-untyped-call]
        return [message for message in messages if "Content Security Policy" in message or "Uncaught" in message]
