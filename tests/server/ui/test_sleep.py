"""A server whose model sleeps, and sees, and has an adapter."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from benchmarks.adapters.lora_file import Lora
from tests.conftest import running_server
from tests.server.ui.browser import PHONE, WIDE, Page
from tests.server.ui.conftest import OpenPage

PICTURE = Path(__file__).parents[3] / "docs" / "images" / "triangle.png"
ASLEEP = "sleeps; a message wakes it"
DROP = """
const files = new DataTransfer();
files.items.add(new File([Uint8Array.from(arguments[0])], arguments[1], { type: arguments[2] }));
const event = new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true });
return !document.getElementById("transcript").dispatchEvent(event);
"""
"""Returns whether the page keeps the browser from opening the file."""


@pytest.fixture(scope="module")
def drowsy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("drowsy")
    adapter = str(Lora(seed=3).write(folder / "tales.gguf"))
    flags = ("--alias", "bundled", "--parallel", "1", "--lora", adapter, "--lora-init-without-apply")
    with running_server(folder, *flags, "--sleep-idle-seconds", "1") as url:
        yield url


def drop(page: Page, content: bytes, name: str, kind: str) -> bool:
    kept: bool = page.browser.execute_script(DROP, list(content), name, kind)
    return kept


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_the_page_says_that_the_model_sleeps_and_a_message_wakes_it(
    open_page: OpenPage, drowsy: str, size: tuple[int, int]
) -> None:
    requests.post(f"{drowsy}/completion", json={"prompt": "Hello", "n_predict": 1})
    page = open_page(drowsy, size).ready()
    page.wait(lambda: ASLEEP in page.text("#model"), "the sleep")
    if size == WIDE:
        page.wait(lambda: "The model sleeps" in page.text("#pool-error"), "the sleep beside the picture of the pool")
        assert page.texts(".slot .fill") == ["Empty, with room for 2,048 tokens"]
    page.ask("Hello")
    assert page.answer()
    page.wait(lambda: ASLEEP not in page.text("#model"), "the waking")


def test_an_adapter_can_be_chosen(open_page: OpenPage, drowsy: str) -> None:
    page = open_page(drowsy).ready()
    page.set_options(temperature=0, n_predict=8)
    page.wait(lambda: page.texts("#model-choice option") == ["bundled", "tales"], "the models")
    page.ask("Tell me a story.")
    of_the_model = page.answer()
    page.choose("#model-choice", "tales")
    assert page.text("#active") == "by tales"
    page.click("#new")
    page.ask("Tell me a story.")
    body = {
        "messages": [{"role": "user", "content": "Tell me a story."}],
        **{"model": "tales", "temperature": 0, "max_tokens": 8},
    }
    expected = requests.post(f"{drowsy}/v1/chat/completions", json=body).json()["choices"][0]["message"]["content"]
    assert page.answer().split() == expected.split() != of_the_model.split()


def test_a_dropped_picture_is_seen(open_page: OpenPage, drowsy: str) -> None:
    page = open_page(drowsy).ready()
    page.set_options(temperature=0)
    assert drop(page, PICTURE.read_bytes(), "triangle.png", "image/png")
    page.wait(lambda: page.shows("#attached img"), "the picture")
    page.ask("What colour is the triangle?")
    assert page.answer() == "The triangle is orange."


def test_a_file_that_is_no_picture_is_named_and_does_not_replace_the_page(open_page: OpenPage, drowsy: str) -> None:
    page = open_page(drowsy).ready()
    assert drop(page, b"words", "notes.txt", "text/plain")
    page.wait(lambda: page.text("#notice") == "No picture that this browser can read: notes.txt", "the notice")
    assert not page.shows("#attached img")
