"""What the page asks for: options, formats, tools and pictures, as set in its tabs."""

import json
from base64 import b64decode
from pathlib import Path

import jsonschema
import requests

from tests.server.ui.browser import Page
from tests.server.ui.conftest import OpenPage

SEES = """
const fetched = window.fetch;
window.sent = [];
window.fetch = async (path, options) => {
  if (options?.body) window.sent.push(JSON.parse(options.body));
  const response = await fetched(path, options);
  if (path !== "props") return response;
  const props = await response.json();
  return Response.json({ ...props, modalities: { ...props.modalities, vision: true } });
};
"""
"""Makes the page believe that the model sees, and keeps what it sends."""

PICTURE = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==")
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"enum": [3, 4, 5]}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def test_each_setting_has_the_sentence_of_the_documentation(page: Page, server: str) -> None:
    schemas = requests.get(f"{server}/openapi.json").json()["components"]["schemas"]
    page.click("#tab-settings")
    page.browser.execute_script("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    for name in ("temperature", "top_p", "min_p", "xtc_threshold", "dry_base", "cache_prompt", "mirostat"):
        description = schemas["CompletionRequestBody"]["properties"][name]["description"]
        help_text = page.text(f"#option-{name}-help")
        assert help_text.startswith(description[0].upper() + description[1:]), name
        assert "Default: " in help_text
    assert len(page.all("#settings-form .field")) > 35
    assert not page.all("#option-prompt, #option-stream, #option-lora")


def test_settings_are_sent_kept_and_reset(page: Page) -> None:
    page.set_options(n_predict=5, ignore_eos=True)
    assert page.text("#settings-count") == "2 changed"
    page.ask("Tell me a story.")
    page.answer()
    assert page.stats().startswith("5 tokens")
    page.browser.refresh()
    page.ready()
    page.click("#tab-settings")
    assert page.all("#option-n_predict")[0].get_attribute("value") == "5"
    page.click("#settings-reset")
    assert page.all("#option-n_predict")[0].get_attribute("value") == ""


def test_an_example_keeps_the_focus_while_the_page_changes_beside_it(page: Page) -> None:
    script = "document.querySelector('.example').focus(); document.getElementById(arguments[0]).dispatchEvent"
    page.browser.execute_script(f"{script}(new Event('input', {{bubbles: true}}))", "panel-format")
    assert page.browser.execute_script("return document.activeElement.className") == "example"


def test_a_value_that_the_server_refuses_is_named(page: Page) -> None:
    page.set_options(samplers="nonsense")
    page.ask("Hello")
    page.wait(lambda: "samplers" in page.text(".message .error"), "the error")


def test_an_answer_matches_a_schema(page: Page) -> None:
    page.click("#tab-format")
    page.choose("#format-kind", "json_schema")
    page.fill("#format-text", json.dumps(SCHEMA))
    assert page.text("#active") == "with JSON Schema"
    page.ask("Who are you?")
    jsonschema.validate(json.loads(page.answer()), SCHEMA)


def test_an_answer_matches_a_grammar(page: Page) -> None:
    page.click("#tab-format")
    page.choose("#format-kind", "grammar")
    page.fill("#format-text", 'root ::= ("cat" | "dog") "!"')
    page.ask("Which animal?")
    assert page.answer() in ("cat!", "dog!")


def test_a_schema_that_is_not_json_is_not_sent(page: Page) -> None:
    page.click("#tab-format")
    page.choose("#format-kind", "json_schema")
    page.fill("#format-text", "{")
    page.ask("Who are you?")
    page.wait(lambda: "This is not JSON" in page.text("#notice"), "the reason")
    assert page.text("#format-error").startswith("This is not JSON")
    assert not page.all(".message.assistant")


def test_a_tool_is_called_and_its_result_answered(page: Page) -> None:
    page.set_options(n_predict=200)
    page.click("#tab-format")
    page.click("#tools-example")
    page.choose("#tool-choice", "required")
    page.ask("What is the weather in Paris?")
    page.wait(lambda: page.shows(".calls form"), "the form for the result")
    assert page.text(".call .name") == "get_weather"
    assert set(json.loads(page.text(".call pre"))) == {"city", "unit"}
    page.choose("#tool-choice", "none")
    page.fill(".calls textarea", "It is sunny.")
    page.click(".calls button")
    assert page.answer(2)
    assert page.text(".message.tool .body") == "It is sunny."
    assert not page.all(".calls form")


def test_pictures_are_offered_only_if_the_model_sees(open_page: OpenPage, server: str, tmp_path: Path) -> None:
    page = open_page(server).ready()
    assert not page.shows("#attach")
    added = page.command("Page.addScriptToEvaluateOnNewDocument", source=SEES)
    page.browser.refresh()
    page.command("Page.removeScriptToEvaluateOnNewDocument", identifier=added["identifier"])
    page.ready()
    assert page.shows("#attach")
    (tmp_path / "dot.png").write_bytes(PICTURE)
    page.all("#attach-file")[0].send_keys(str(tmp_path / "dot.png"))
    page.wait(lambda: page.shows("#attached img"), "the picture")
    page.ask("What is this?")
    page.wait(lambda: page.shows(".message.user img"), "the message")
    [body] = page.wait(lambda: page.browser.execute_script("return window.sent"), "the request")
    picture, text = body["messages"][0]["content"]
    assert picture["image_url"]["url"].startswith("data:image/png;base64,")
    assert text == {"type": "text", "text": "What is this?"}
