import pytest

from tests.server.chat.chat_messages import template
from tests.server.chat.templates import (
    ALL,
    BRACKETS,
    HEADERS_AND_DATE,
    LIST_OF_TOOLS,
    NO_SYSTEM,
    TAGGED_TOOLS,
    TYPED_PARTS,
)

SHOWS_THOUGHTS = "{% for m in messages %}{{ m.reasoning_content }}{{ m.content }}{% endfor %}"
SHOWS_IDS = """\
{% for m in messages %}{{ m.content }}
{% for call in m.tool_calls %}{{ call.id + call.function.arguments }}{% endfor %}{% endfor %}
"""
EITHER_CONTENT = "{% for m in messages %}{{ m.content if m.content is string else m.content[0].text }}{% endfor %}"


def templates_with(capability: str) -> set[str]:
    return {name for name, source in ALL.items() if getattr(template(source).capabilities, capability)}


@pytest.mark.parametrize(
    ("capability", "names"),
    [
        ("supports_system", ALL.keys() - {"no system", "brackets"}),
        ("supports_strings", ALL.keys() - {"typed parts"}),
        ("supports_typed_content", {"typed parts"}),
        ("supports_tools", {"brackets", "tagged tools", "list of tools"}),
        ("needs_list_of_tools", {"list of tools"}),
        ("supports_tool_calls", {"headers", "brackets", "tagged tools"}),
        ("supports_parallel_tool_calls", {"brackets", "tagged tools"}),
        ("supports_tool_results", {"headers", "brackets", "tagged tools"}),
        ("needs_short_ids", {"brackets"}),
        ("supports_reasoning", set()),
    ],
)
def test_templates_with_a_capability(capability: str, names: set[str]) -> None:
    assert templates_with(capability) == set(names)


@pytest.mark.parametrize(
    ("source", "kind"), [(HEADERS_AND_DATE, "object"), (TAGGED_TOOLS, "object"), (BRACKETS, "string")]
)
def test_arguments_are_what_the_template_makes_json_of(source: str, kind: str) -> None:
    assert template(source).capabilities.arguments_as == kind


def test_thoughts_that_are_shown() -> None:
    assert template(SHOWS_THOUGHTS).capabilities.supports_reasoning


def test_call_may_be_told_by_its_id() -> None:
    assert template(SHOWS_IDS).capabilities.supports_tool_calls


def test_content_may_be_either() -> None:
    capabilities = template(EITHER_CONTENT).capabilities
    assert (capabilities.supports_strings, capabilities.supports_typed_content) == (True, True)
    assert not capabilities.needs_typed_content


def test_typed_content_is_needed_where_strings_are_not_shown() -> None:
    assert template(TYPED_PARTS).capabilities.needs_typed_content


def test_capabilities_do_not_hang_on_words_of_the_source() -> None:
    renamed = NO_SYSTEM.replace("system", "sys" + "tem").replace("no system role", "that is not for me")
    assert template(renamed).capabilities == template(NO_SYSTEM).capabilities


def test_template_that_always_fails_is_left_to_speak_for_itself() -> None:
    capabilities = template("{{ raise_exception('never') }}").capabilities
    assert capabilities.supports_system
    assert capabilities.supports_strings


def test_template_that_never_ends_is_probed_in_no_time() -> None:
    loop = "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}"
    assert not template(loop).capabilities.supports_tools


def test_list_of_tools_is_empty_without_any() -> None:
    assert template(LIST_OF_TOOLS).render([{"role": "user", "content": "Hi"}]) == "<tools></tools>\nuser: Hi\n"
