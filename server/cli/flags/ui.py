"""Flags of the page for people."""

import orjson

from server.cli.parser import Flag, Group, Switch
from server.cli.values import invalid, text_file


def json_object(text: str) -> dict[str, object]:
    """Returns the members of a JSON object."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise invalid('a JSON object such as {"temperature": 0.5}', text)
    return value


def json_object_file(path: str) -> dict[str, object]:
    return json_object(text_file(path))


UI = Group(
    "web page",
    "",
    Switch("--ui, --webui, --no-ui, --no-webui", "show_ui", "serve a page for people at /", "LLAMA_ARG_UI"),
    Flag(
        "--ui-config, --webui-config JSON",
        "ui_settings",
        json_object,
        'JSON object with settings that the page starts with: options of requests, such as {"temperature": 0.5}, and '
        "systemMessage",
        "LLAMA_ARG_UI_CONFIG",
    ),
    Flag(
        "--ui-config-file, --webui-config-file FILE",
        "ui_settings",
        json_object_file,
        "file with such an object",
        "LLAMA_ARG_UI_CONFIG_FILE",
    ),
)
