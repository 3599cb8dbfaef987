"""Chats and completions in a real browser: streamed, stopped, repeated, kept, and continued from another token."""

import json
from pathlib import Path

import requests
from selenium.webdriver.common.keys import Keys

from tests.server.http_client import Json, n_busy
from tests.server.ui.browser import Page
from tests.server.ui.conftest import OpenPage


def last_request(slot: Json) -> int:
    number: int = -1 if slot["id_task"] is None else slot["id_task"]
    return number


def test_a_newcomer_gets_an_answer_with_two_clicks(page: Page) -> None:
    page.click(".example")
    page.click("#send")
    assert len(page.answer()) > 10
    assert page.n_clicks == 2


def test_a_chat_of_two_turns_reuses_what_is_cached(page: Page) -> None:
    page.set_options(n_predict=24)
    page.ask("Tell me a story about a dog.")
    first = page.answer(1)
    page.ask("What happens then?")
    assert page.answer(2)
    assert page.texts(".message.user .body") == ["Tell me a story about a dog.", "What happens then?"]
    assert page.texts(".message.assistant > .body")[0] == first
    n_cached = int(page.stats().split(" from the cache")[0].split()[-1])
    assert n_cached > 10


def test_a_conversation_is_there_after_the_page_is_loaded_again(page: Page) -> None:
    page.set_options(n_predict=12)
    page.ask("Tell me a story about a fish.")
    answer = page.answer()
    page.browser.refresh()
    page.ready()
    [title] = page.texts("#conversations .title")
    assert title.startswith("Tell me a story about a fish.")
    page.click("#conversations .title")
    assert page.texts(".message .body")[:2] == ["Tell me a story about a fish.", answer]


def test_conversations_are_exported_and_imported(page: Page, tmp_path: Path) -> None:
    page.set_options(n_predict=12)
    page.ask("Tell me a story about a bird.")
    answer = page.answer()
    page.command("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.click("#export")
    file = tmp_path / "llama-slots-conversations.json"
    page.wait(file.exists, "the file")
    assert [message["role"] for message in json.loads(file.read_text())["conversations"][0]["messages"]] == [
        "user",
        "assistant",
    ]
    page.click("#conversations .delete")
    page.browser.switch_to.alert.accept()
    assert page.wait(lambda: not page.texts("#conversations li"), "an empty list")
    page.all("#import-file")[0].send_keys(str(file))
    page.wait(lambda: page.texts(".message .body") == ["Tell me a story about a bird.", answer], "the conversation")


def test_a_file_of_something_else_is_refused_by_name(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text('{"format": "other"}')
    page.all("#import-file")[0].send_keys(str(file))
    page.wait(lambda: "other.json was not imported: expected a file" in page.text("#notice"), "the reason")


def test_stop_ends_an_answer_amid_its_stream(endless_page: Page, endless_server: str) -> None:
    page = endless_page
    page.ask("Tell me a long story.")
    page.wait(lambda: len(page.text(".message.assistant .body")) > 40, "the beginning of an answer")
    assert page.shows("#stop")
    page.click("#stop")
    answer = page.answer()
    assert "you stopped it" in page.stats()
    page.wait(lambda: n_busy(endless_server) == 0, "an idle server")
    assert page.text(".message.assistant > .body") == answer
    assert not page.shows("#stop")


def test_continue_goes_on_after_a_stop(page: Page) -> None:
    page.set_options(n_predict=8)
    page.ask("Tell me a story about a cat.")
    begun = page.answer()
    page.all(".message.assistant .actions button")[-1].click()
    page.wait(lambda: len(page.text(".message.assistant > .body")) > len(begun), "more of the answer")
    assert page.answer().startswith(begun)


def test_retry_replaces_the_answer(page: Page) -> None:
    page.set_options(n_predict=40, temperature=2, seed=1)
    page.ask("Tell me a story about a cat.")
    first = page.answer()
    page.set_options(seed=2)
    next(button for button in page.all(".message.assistant .actions button") if button.text == "Retry").click()
    page.wait(lambda: page.texts(".message.assistant[aria-busy=false] > .body") not in ([], [first]), "another answer")
    assert len(page.texts(".message")) == 2


def test_the_session_cookie_leads_back_to_the_same_slot(endless_page: Page) -> None:
    page = endless_page
    page.click("#tab-pool")
    page.ask("Tell me a long story.")
    own = page.wait(lambda: page.texts(".slot:has(.mine:not([hidden])) strong"), "the slot of this browser")
    [cookie] = [each for each in page.browser.get_cookies() if each["name"] == "llama_slots_session"]
    assert cookie["httpOnly"]
    page.keys(Keys.ESCAPE)
    page.answer(1)
    page.set_options(n_predict=20)
    page.ask("Are you well?")
    page.wait(lambda: page.texts(".message.assistant > .body")[1:] > [""], "the next answer")
    page.keys(Keys.ESCAPE)
    page.answer(2)
    slots = requests.get(f"{page.browser.current_url}slots").json()
    last = max(slots, key=last_request)
    assert f"Slot {last['id']}" in own


def test_a_token_is_replaced_and_the_text_goes_on_from_there(page: Page) -> None:
    page.set_options(n_predict=16, temperature=0)
    page.click(".modes label:last-of-type")
    page.ask("Once upon a time")
    page.wait(lambda: "16 tokens" in page.stats(), "a text")
    before = page.texts(".piece.text .token")
    page.hover(page.all(".piece.text .token")[5])
    page.wait(lambda: page.shows("#popover"), "the likely tokens")
    assert page.text("#popover .taken .choice").replace("␣", " ") == before[5]
    choice = page.all("#popover button:not(.taken)")[0]
    chosen = choice.text.split("\n")[0].replace("␣", " ")
    choice.click()
    page.wait(lambda: len(page.texts(".piece.text .token")) == 6 + 16, "the rest")
    after = page.texts(".piece.text .token")
    assert after[:6] == [*before[:5], chosen]


def test_completion_goes_on_and_can_be_edited(page: Page) -> None:
    page.set_options(n_predict=8)
    page.click(".modes label:last-of-type")
    page.ask("Once upon a time")
    page.wait(lambda: page.text("#send") == "Continue" and "8 tokens" in page.stats(), "a text")
    text = page.browser.execute_script("return document.getElementById('transcript').innerText")
    page.click("#send")
    page.wait(lambda: len(page.all(".piece.text")) == 2 and "8 tokens" in page.stats(), "more text")
    next(button for button in page.all(".piece .actions button") if button.text == "Edit text").click()
    edited = page.browser.execute_script("return document.getElementById('input').value")
    assert edited.startswith("Once upon a time")
    assert len(edited) > len(text.split("8 tokens")[0].strip())


def test_the_keyboard_is_enough(page: Page) -> None:
    page.set_options(n_predict=12, temperature=0)
    page.browser.refresh()
    page.ready()
    page.keys("Tell me a story about a cat.", Keys.ENTER)  # the field has the focus from the start
    page.answer()
    tokens = page.texts(".message.assistant .token")
    page.browser.execute_script("document.querySelector('.skip').focus()")
    for _ in range(40):
        page.keys(Keys.TAB)
        if page.browser.execute_script("return document.activeElement.matches('.message .tokens')"):
            break
    page.keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ENTER, Keys.ARROW_DOWN)
    chosen = page.browser.execute_script("return document.activeElement.querySelector('.choice').innerText")
    page.keys(Keys.ENTER)
    page.wait(lambda: len(page.texts(".message.assistant .token")) > 2 and page.answer(), "the rest")
    page.wait(lambda: page.texts(".message.assistant .token")[1] == chosen.replace("␣", " "), "the chosen token")
    assert page.texts(".message.assistant .token")[0] == tokens[0]


def test_markdown_is_shown_and_nothing_in_it_runs(open_page: OpenPage, server: str) -> None:
    page = open_page(server).ready()
    text = "# Title\n\n**bold** and `code` <img src=x onerror=alert(1)>\n\n- one\n- two\n\n```python\nx = 1\n```\n"
    conversation = {"id": "a", "mode": "chat", "title": "t", "messages": [{"role": "assistant", "content": text}]}
    page.browser.execute_script(
        "localStorage.setItem(`llama-slots:conversation:${location.pathname}:a`, arguments[0])",
        json.dumps(conversation),
    )
    page.browser.refresh()
    page.click("#conversations .title")
    assert page.texts(".body strong") == ["bold"]
    assert page.texts(".body li") == ["one", "two"]
    assert page.texts(".body pre") == ["x = 1"]
    assert not page.all(".body img")
    assert "<img src=x" in page.text(".body")
