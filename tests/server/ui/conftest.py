"""One browser for all tests of a process; each test gets the page as somebody who has never seen it."""

from collections.abc import Callable, Iterator

import pytest
from selenium import webdriver

from tests.server.ui.browser import Page, running_browser

OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[webdriver.Chrome]:
    with running_browser() as browser:
        yield browser


@pytest.fixture
def open_page(browser: webdriver.Chrome) -> Iterator[OpenPage]:
    """Opens the page of a server. At the end nothing has broken its policy or failed in its program."""
    pages: list[Page] = []

    def open_(url: str, *options: object, **more: object) -> Page:
        pages.append(Page(browser, url, *options, **more))  # type: ignore[arg-type]
        return pages[-1]

    yield open_
    for page in pages:
        assert page.complaints() == []


@pytest.fixture
def page(open_page: OpenPage, server: str) -> Page:
    return open_page(server).ready()


@pytest.fixture
def endless_page(open_page: OpenPage, endless_server: str) -> Page:
    """The page of a server whose answers end when they are stopped, and not before."""
    page = open_page(endless_server).ready()
    page.set_options(ignore_eos=True)
    return page
