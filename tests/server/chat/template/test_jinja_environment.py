from datetime import datetime

import pytest

from server.chat.messages import Json
from server.chat.template import jinja_environment
from server.chat.template.template import ChatTemplate, ChatTemplateError
from slots.errors import InvalidRequest
from tests.server.chat.chat_messages import render, template, user

HELLO = user("Hello")


def render_with_user(source: str, **more: object) -> str:
    return render(source, HELLO, template_kwargs=more)


def get_error(source: str) -> str:
    with pytest.raises(InvalidRequest) as caught:
        render_with_user(source)
    assert caught.value.field == "messages"
    return str(caught.value).removeprefix("messages: ")


def test_json_is_neither_escaped_for_html_nor_to_ascii() -> None:
    assert render_with_user("{{ value | tojson }}", value={"é": "<b> & 'c'"}) == '{"é": "<b> & \'c\'"}'


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("indent=2", '{\n  "b": 1,\n  "a": [\n    2\n  ]\n}'),
        ("separators=(',', ':')", '{"b":1,"a":[2]}'),
        ("sort_keys=true", '{"a": [2], "b": 1}'),
    ],
)
def test_json_is_laid_out_as_asked(arguments: str, text: str) -> None:
    assert render_with_user(f"{{{{ value | tojson({arguments}) }}}}", value={"b": 1, "a": [2]}) == text


def test_json_to_ascii_where_the_template_wants_it() -> None:
    assert render_with_user("{{ 'é' | tojson(ensure_ascii=true) }}") == '"\\u00e9"'


def test_lines_of_blocks_leave_no_trace() -> None:
    assert render_with_user("a\n  {% if true %}\nb\n  {% endif %}\nc") == "a\nb\nc"


def test_loops_can_be_left() -> None:
    skips_and_ends = "{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}"
    assert render_with_user("{% for i in range(9) %}" + skips_and_ends + "{{ i }}{% endfor %}") == "02"


def test_loops_know_their_length_and_neighbours() -> None:
    source = "{% for c in 'abc' %}{{ loop.index }}/{{ loop.length }}{{ loop.nextitem if not loop.last }},{% endfor %}"
    assert render_with_user(source) == "1/3b,2/3c,3/3,"


def test_what_is_marked_as_generated_is_text_as_any() -> None:
    assert render_with_user("a{% generation %}{{ 'b' }}{% endgeneration %}c") == "abc"


def test_date_is_todays() -> None:
    before = datetime.now().strftime("%Y-%m-%d")
    assert before <= render_with_user("{{ strftime_now('%Y-%m-%d') }}") <= datetime.now().strftime("%Y-%m-%d")


def test_templates_know_today_by_the_names_that_llama_cpp_has() -> None:
    before = datetime.now()
    text = render_with_user("{{ date_string }}, {{ datetime }}")
    assert text in {f"{day:%d %b %Y}, {day:%b %d %Y}" for day in (before, datetime.now())}


def test_exception_of_the_template_speaks_for_itself() -> None:
    assert get_error("{{ raise_exception('Not so!') }}") == "Not so!"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("\n{{ nothing.at.all }}", "the chat template fails in line 2: 'nothing' is undefined"),
        ("{{ 'a' + 1 }}", 'the chat template fails in line 1: can only concatenate str (not "int") to str'),
        ("{{ 1 / 0 }}", "the chat template fails in line 1: division by zero"),
        ("{{ none | tojson(indent='a', separators=3) }}", "the chat template fails in line 1: "),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "the chat template fails in line 1: maximum recursion"),
        ("{{ '\\ud800' }}", "the chat template fails: 'utf-8' codec can't encode"),
    ],
)
def test_failure_says_where_and_why(source: str, message: str) -> None:
    assert get_error(source).startswith(message)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ ''['__class__'].mro() }}",
        "{{ (''|attr('__class__')).mro() }}",
        "{{ raise_exception.__globals__['json'] }}",
        "{{ '{0.__class__.__mro__}'.format('') }}",
        "{{ messages[0].update({'role': 'system'}) }}",
    ],
)
def test_template_gets_at_nothing_of_the_program(source: str) -> None:
    message = get_error(source)
    assert "unsafe" in message or "undefined" in message or "is not safely callable" in message
    assert "<class" not in message


def test_lists_can_grow_but_those_of_a_request_stay_as_they_are() -> None:
    source = "{% set names = ['a'] %}{% set _ = names.append('b') %}{{ names }}{% set _ = tools[0].list.append(1) %}"
    tools: list[Json] = [{"list": []}]
    text = ChatTemplate(source, "", "").render([{"role": "user", "content": "Hi"}], tools=tools)
    assert text == "['a', 'b']"
    assert tools == [{"list": []}]


def test_a_template_that_relies_on_descriptions_gets_some() -> None:
    source = "{% for name, part in tools[0].function.parameters.properties.items() %}{{ name + part.description }}"
    tool: Json = {"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": {}}}}}
    template = ChatTemplate(source + "{% endfor %}", "", "")
    assert template.render([{"role": "user", "content": "Hi"}], tools=[tool]) == "a"


def test_what_filters_return_can_be_json() -> None:
    assert render_with_user("{{ messages | map(attribute='role') | tojson }}") == '["user"]'


def test_name_with_underscores_is_empty() -> None:
    assert render_with_user("[{{ ''.__class__ }}]") == "[]"


def test_loop_that_takes_too_long_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.chat.template.template.MAX_STEPS", 10_000)
    loop = "{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}"
    assert get_error(loop) == "the chat template fails in line 1: it takes more than 10,000 steps"


def test_macros_that_call_each_other_too_often_are_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.chat.template.template.MAX_STEPS", 10_000)
    macro = "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}"
    assert "it takes more than 10,000 steps" in get_error(macro)


def test_text_that_grows_too_long_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jinja_environment, "MAX_CHARACTERS", 10_000)
    assert "it writes more than 10,000 characters" in get_error("{% for a in range(2000) %}123456{% endfor %}")


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'a' * 10 ** 12 }}",
        "{{ 10 ** 12 * 'a' }}",
        "{{ [1] * 10 ** 12 }}",
        "{{ 9 ** 9999 }}",
        "{{ range(10 ** 9) }}",
    ],
)
def test_value_too_large_to_hold_is_not_computed(source: str) -> None:
    message = get_error(source)
    assert "too large" in message or "too often" in message or "Range too big" in message


def test_products_of_usual_size_are_computed() -> None:
    assert (
        render_with_user("{{ '-' * 3 }} {{ 6 * 7 }} {{ 2 ** 10 }} {{ 1.5 * 2 }} {{ 2 ** -1 }}") == "--- 42 1024 3.0 0.5"
    )


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("\n\n{% if %}", "line 3: Expected an expression"),
        ("{% nothing %}", "line 1: Encountered unknown tag 'nothing'"),
        ("{{ a | nothing }}", "line 1: No filter named 'nothing'"),
        ("{% for a in b %}", "line 1: Unexpected end of template"),
        ("{{ " + "(" * 5000, ""),
    ],
)
def test_template_that_cannot_be_read_says_where_and_why(source: str, message: str) -> None:
    with pytest.raises(ChatTemplateError) as caught:
        ChatTemplate(source, "", "")
    assert str(caught.value).startswith(message)


def test_template_keeps_its_source() -> None:
    assert template("{{ 1 }}").source == "{{ 1 }}"
