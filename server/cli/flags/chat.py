"""Flags of chats: the chat template, its variables and the reasoning format."""

import argparse

import orjson

from server.chat.template.constants import RESERVED_VARIABLES
from server.chat.template.named import NAMED_TEMPLATES
from server.cli.flags.sampling import describe_option
from server.cli.parser import Flag, Group, Switch
from server.cli.values import MAX_SIZE, int_in_range, invalid, on_off, one_of, text_file
from server.settings import REASONING_FORMATS


def template_text(text: str) -> str:
    """Returns a template given as its source or by its name. A single word without Jinja can only be a misspelt name;
    a longer text is one that stands for all chats."""
    if text in NAMED_TEMPLATES:
        return NAMED_TEMPLATES[text]
    if not any(mark in text for mark in ("{{", "{%", " ")):
        expected = f"a Jinja template or {', '.join(NAMED_TEMPLATES)}"
        raise argparse.ArgumentTypeError(
            f"expected {expected}, got {text!r}; --chat-template-file takes other templates"
        )
    return _check_template(text)


def template_file(path: str) -> str:
    return _check_template(text_file(path))


def template_variables(text: str) -> dict[str, object]:
    """Returns additional template variables, given as a JSON object."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise invalid('a JSON object such as {"enable_thinking": false}', text)
    for name in RESERVED_VARIABLES:
        if name in value:
            raise argparse.ArgumentTypeError(f"expected other variables, since requests have {name} themselves")
    return value


def reasoning_mode(text: str) -> bool | None:
    """Returns whether the model shall reason; None leaves it to the template."""
    if text in ("auto", "-1"):
        return None
    try:
        return on_off(text)
    except argparse.ArgumentTypeError:
        raise invalid("one of on, off, auto", text) from None


def _check_template(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("expected a Jinja template, got an empty one")
    from server.chat.template.template import ChatTemplate, ChatTemplateError  # noqa: PLC0415 - imports Jinja

    try:
        ChatTemplate(text, bos="", eos="")
    except ChatTemplateError as error:
        raise argparse.ArgumentTypeError(f"expected a Jinja template, got one that cannot be read: {error}") from None
    return text


CHAT = Group(
    "chat",
    "Without a template flag, the model's own template is used, or ChatML if it has none.",
    Flag(
        "--chat-template JINJA_TEMPLATE",
        "chat_template_source",
        template_text,
        "Jinja template that makes a prompt of messages, or the name of one: " + ", ".join(NAMED_TEMPLATES),
        "LLAMA_ARG_CHAT_TEMPLATE",
    ),
    Flag(
        "--chat-template-file FILE",
        "chat_template_file",
        template_file,
        "file with a Jinja template",
        "LLAMA_ARG_CHAT_TEMPLATE_FILE",
    ),
    Flag(
        "--chat-template-kwargs JSON",
        "chat_template_kwargs",
        template_variables,
        'JSON object with additional template variables, such as {"enable_thinking": false}; a request can override '
        "each",
        "LLAMA_ARG_CHAT_TEMPLATE_KWARGS",
    ),
    Flag(
        "--reasoning-format FORMAT",
        "reasoning_format",
        one_of(*REASONING_FORMATS),
        "where reasoning is returned: none = in content, auto and deepseek = in reasoning_content, "
        "deepseek-legacy = in both",
        "LLAMA_ARG_THINK",
    ),
    Flag(
        "-rea, --reasoning [on|off|auto]",
        "reasoning",
        reasoning_mode,
        "let the model reason or not, by the template's variable enable_thinking; auto = as the template has it",
        "LLAMA_ARG_REASONING",
    ),
    Flag(
        "--reasoning-effort LEVEL",
        "reasoning_effort",
        str,
        "the template's variable reasoning_effort, such as low, medium or high; default = as the template has it",
        "LLAMA_ARG_REASONING_EFFORT",
    ),
    Flag(
        "--reasoning-budget N",
        "reasoning_budget_tokens",
        int_in_range(-1, MAX_SIZE),
        "maximum number of tokens of a chat's thoughts, which are ended then; 0 = no thoughts, as --reasoning off; "
        "-1 = no limit",
        "LLAMA_ARG_THINK_BUDGET",
    ),
    Flag(
        "--reasoning-budget-message MESSAGE",
        "reasoning_budget_message",
        str,
        describe_option("reasoning_budget_message"),
        "LLAMA_ARG_THINK_BUDGET_MESSAGE",
    ),
    Switch(
        "--reasoning-preserve, --no-reasoning-preserve",
        "reasoning_preserve",
        "the template's variable preserve_reasoning: keep the reasoning of earlier messages in the prompt",
        "LLAMA_ARG_REASONING_PRESERVE",
    ),
)
