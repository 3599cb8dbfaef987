"""Chat templates in the styles of known models, each with its own tool format."""

from dataclasses import dataclass, replace

from grammar.call_arguments.syntax import ArgumentSyntax
from grammar.call_arguments.values import KINDS
from server.chat.tools.call_format import Placeholder, ToolFormat

NAME, ARGUMENTS, ID, INDEX = Placeholder.NAME, Placeholder.ARGUMENTS, Placeholder.ID, Placeholder.INDEX


@dataclass(frozen=True)
class Style:
    """A template and its tool format."""

    source: str
    format: ToolFormat


def _turns(
    calls: str, *, tools: str = "{{ tools | tojson }}", start: str = "<|im_start|>", end: str = "<|im_end|>\n"
) -> str:
    return (
        "{{ bos_token }}{% if tools %}" + start + "system\n" + tools + end + "{% endif %}"
        "{% for message in messages %}"
        + start + "{{ message.role }}\n{{ message.content or '' }}"
        "{% if message.tool_calls %}" + calls + "{% endif %}" + end + "{% endfor %}"
        "{% if add_generation_prompt %}" + start + "assistant\n{% endif %}"
    )  # fmt: skip


def _each(call: str, between: str = "") -> str:
    separator = "{% if not loop.last %}" + between + "{% endif %}"
    return "{% for call in message.tool_calls %}{% set f = call.function %}" + call + separator + "{% endfor %}"


_OBJECT = '{"name": "{{ f.name }}", "arguments": {{ f.arguments | tojson }}}'

TAGGED = Style(
    _turns(
        "{% for call in message.tool_calls %}{% set f = call.function %}"
        "{% if (loop.first and message.content) or not loop.first %}{{ '\\n' }}{% endif %}"
        "<tool_call>\n" + _OBJECT + "\n</tool_call>{% endfor %}"
    ),
    ToolFormat(
        call=('<tool_call>\n{"name": "', NAME, '", "arguments": ', ARGUMENTS, "}\n</tool_call>"), separator="\n"
    ),
)
STRING_ARGUMENTS = Style(
    _turns(_each('<call>{"name": "{{ f.name }}", "arguments": {{ f.arguments }}}</call>')),
    ToolFormat(call=('<call>{"name": "', NAME, '", "arguments": ', ARGUMENTS, "}</call>"), separator=""),
)
BARE = Style(
    _turns(
        "{% if message.tool_calls | length != 1 %}{{ raise_exception('one call at a time, please') }}{% endif %}"
        '{% set f = message.tool_calls[0].function %}{"name": "{{ f.name }}", "parameters": {{ f.arguments | tojson }}}'
    ),
    ToolFormat(call=('{"name": "', NAME, '", "parameters": ', ARGUMENTS, "}")),
)
LISTED = Style(
    "{{ bos_token }}{% for message in messages %}"
    "{% if message.role == 'user' %}{% if tools and loop.last %}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]"
    "{% endif %}[INST] {{ message.content }} [/INST]"
    "{% elif message.tool_calls %}[TOOL_CALLS] ["
    "{% for call in message.tool_calls %}{% if call.id | length != 9 %}{{ raise_exception('nine, please') }}{% endif %}"
    '{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}, "id": "{{ call.id }}"}'
    "{% if not loop.last %}, {% endif %}{% endfor %}]{{ eos_token }}"
    "{% elif message.role == 'assistant' %} {{ message.content }}{{ eos_token }}{% endif %}{% endfor %}",
    ToolFormat(
        opening="[TOOL_CALLS] [",
        call=('{"name": "', NAME, '", "arguments": ', ARGUMENTS, ', "id": "', ID, '"}'),
        separator=", ",
        closing="]",
    ),
)
TOKENS = Style(
    _turns(_each("[TOOL_CALLS]{{ f.name }}[ARGS]{{ f.arguments | tojson }}")),
    ToolFormat(call=("[TOOL_CALLS]", NAME, "[ARGS]", ARGUMENTS), separator=""),
)
NAME_IN_TAG = Style(
    _turns(_each("<function={{ f.name }}>{{ f.arguments | tojson }}</function>")),
    ToolFormat(call=("<function=", NAME, ">", ARGUMENTS, "</function>"), separator=""),
)
FENCED = Style(
    "{{ bos_token }}{{ tools | tojson if tools }}{% for message in messages %}"
    "{% if message.role == 'user' %}<User>{{ message.content }}"
    "{% elif message.tool_calls %}<Assistant><calls_begin>"
    "{% for call in message.tool_calls %}{% set f = call.function %}<call_begin>function<sep>{{ f.name }}\n"
    "```json\n{{ f.arguments | tojson }}\n```<call_end>{% endfor %}<calls_end>{{ eos_token }}"
    "{% elif message.role == 'assistant' %}<Assistant></think>{{ message.content }}{{ eos_token }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<Assistant><think>\n{% endif %}",
    ToolFormat(
        opening="<calls_begin>",
        call=("<call_begin>function<sep>", NAME, "\n```json\n", ARGUMENTS, "\n```<call_end>"),
        separator="",
        closing="<calls_end>",
    ),
)
JSON_LIST = Style(
    _turns("<|tool_call|>[" + _each(_OBJECT, ", ") + "]<|/tool_call|>"),
    ToolFormat(
        opening="<|tool_call|>[",
        call=('{"name": "', NAME, '", "arguments": ', ARGUMENTS, "}"),
        separator=", ",
        closing="]<|/tool_call|>",
    ),
)
BARE_LIST = Style(
    _turns("[" + _each(_OBJECT, ", ") + "]"),
    ToolFormat(opening="[", call=('{"name": "', NAME, '", "arguments": ', ARGUMENTS, "}"), separator=", ", closing="]"),
)
ARGUMENTS_FIRST = Style(
    _turns(_each('<call>{"arguments": {{ f.arguments | tojson }}, "name": "{{ f.name }}"}</call>', "{{ '\\n' }}")),
    ToolFormat(call=('<call>{"arguments": ', ARGUMENTS, ', "name": "', NAME, '"}</call>'), separator="\n"),
)
ID_FIRST = Style(
    _turns(_each('<call id="{{ call.id }}" name="{{ f.name }}">{{ f.arguments | tojson }}</call>')),
    ToolFormat(call=('<call id="', ID, '" name="', NAME, '">', ARGUMENTS, "</call>"), separator=""),
)
ENDS_OTHERWISE = Style(
    _turns(_each("<|python_tag|>" + _OBJECT, "; ") + "<|eom_id|>", end="<|eot_id|>"),
    ToolFormat(call=('<|python_tag|>{"name": "', NAME, '", "arguments": ', ARGUMENTS, "}"), separator="; "),
)

NUMBERED = Style(
    _turns(_each('<call number="{{ loop.index }}">' + _OBJECT + "</call>", "; ")),
    ToolFormat(
        call=('<call number="', INDEX, '">{"name": "', NAME, '", "arguments": ', ARGUMENTS, "}</call>"),
        separator="; ",
        first_index=1,
    ),
)
NUMBERED_NAMES = Style(
    _turns(
        "<|calls|>"
        + _each("<|call|>functions.{{ f.name }}:{{ loop.index0 }}<|args|>{{ f.arguments | tojson }}<|/call|>")
        + "<|/calls|>"
    ),
    ToolFormat(
        opening="<|calls|>",
        call=("<|call|>functions.", NAME, ":", INDEX, "<|args|>", ARGUMENTS, "<|/call|>"),
        separator="",
        closing="<|/calls|>",
    ),
)


def _arguments(argument: str, between: str = "") -> str:
    """Returns what writes the arguments of a call; `value` is text, of JSON if it is no string."""
    separator = "{% if not loop.last %}" + between + "{% endif %}" if between else ""
    return (
        "{% for name, given in f.arguments | items %}"
        "{% set value = given if given is string else given | tojson %}" + argument + separator + "{% endfor %}"
    )


PARAMETER_TAGS = Style(
    _turns(
        _each(
            "<tool_call>\n<function={{ f.name }}>\n"
            + _arguments("<parameter={{ name }}>\n{{ value }}\n</parameter>\n")
            + "</function>\n</tool_call>",
            "{{ '\\n' }}",
        )
    ),
    ToolFormat(
        call=("<tool_call>\n<function=", NAME, ">\n", ARGUMENTS, "\n</function>\n</tool_call>"),
        separator="\n",
        arguments=ArgumentSyntax("<parameter=", ">\n", "\n</parameter>\n"),
    ),
)
"""Qwen3-Coder's, with Python's literals in PYTHON_LITERALS."""
PYTHON_LITERALS = Style(
    PARAMETER_TAGS.source.replace(
        "else given | tojson", "else given | string if given is boolean or given is none else given | tojson"
    ),
    replace(
        PARAMETER_TAGS.format,
        arguments=ArgumentSyntax("<parameter=", ">\n", "\n</parameter>\n", has_python_literals=True),
    ),
)
KEYS_AND_VALUES = Style(
    _turns(
        _each(
            "<tool_call>{{ f.name }}\n"
            + _arguments("<arg_key>{{ name }}</arg_key>\n<arg_value>{{ value }}</arg_value>\n")
            + "</tool_call>",
            "{{ '\\n' }}",
        )
    ),
    ToolFormat(
        call=("<tool_call>", NAME, "\n", ARGUMENTS, "\n</tool_call>"),
        separator="\n",
        arguments=ArgumentSyntax("<arg_key>", "</arg_key>\n<arg_value>", "</arg_value>\n"),
    ),
)
"""GLM's."""
INVOKED = Style(
    _turns(
        "<m:tool_call>\n"
        + _each(
            '<invoke name="{{ f.name }}">\n'
            + _arguments('<parameter name="{{ name }}">{{ value }}</parameter>\n')
            + "</invoke>\n"
        )
        + "</m:tool_call>"
    ),
    ToolFormat(
        opening="<m:tool_call>",
        call=('\n<invoke name="', NAME, '">\n', ARGUMENTS, "\n</invoke>"),
        separator="",
        closing="\n</m:tool_call>",
        arguments=ArgumentSyntax('<parameter name="', '">', "</parameter>\n"),
    ),
)
"""MiniMax M2's."""
KINDS_TOLD = Style(
    _turns(
        _each(
            '<invoke name="{{ f.name }}">'
            + _arguments(
                "<p name=\"{{ name }}\" string=\"{{ 'true' if given is string else 'false' }}\">{{ value }}</p>"
            )
            + "</invoke>"
        )
    ),
    ToolFormat(
        call=('<invoke name="', NAME, '">', ARGUMENTS, "</invoke>"),
        separator="",
        arguments=ArgumentSyntax(
            '<p name="',
            '" string="true">',
            "</p>",
            before_other=tuple((kind, '" string="false">') for kind in KINDS),
        ),
    ),
)
"""DeepSeek V3.2's."""
PYTHON_LIST = Style(
    _turns(
        "<|tool_call_start|>["
        + _each("{{ f.name }}(" + _arguments("{{ name }}={{ given | tojson }}", ", ") + ")", ", ")
        + "]<|tool_call_end|>"
    ),
    ToolFormat(
        opening="<|tool_call_start|>[",
        call=(NAME, "(", ARGUMENTS, ")"),
        separator=", ",
        closing="]<|tool_call_end|>",
        arguments=ArgumentSyntax("", "=", "", separator=", ", strings="python"),
    ),
)
"""LFM2's."""
QUOTED = Style(
    _turns(
        _each(
            "<|call>call:{{ f.name }}{{ '{' }}"
            + _arguments("{{ name }}:{{ '<|q|>' + given + '<|q|>' if given is string else value }}", ",")
            + "}<call|>"
        )
    ),
    ToolFormat(
        call=("<|call>call:", NAME, "{", ARGUMENTS, "}<call|>"),
        separator="",
        arguments=ArgumentSyntax("", ":", "", separator=",", strings="quoted", quote="<|q|>"),
    ),
)
"""Gemma 4's."""
CLOSED_BY_NAME = Style(
    _turns(
        _each('<invoke name="{{ f.name }}">' + _arguments("<{{ name }}>{{ value }}</{{ name }}>") + "</invoke>"),
    ),
    ToolFormat(
        call=('<invoke name="', NAME, '">', ARGUMENTS, "</invoke>"),
        separator="",
        arguments=ArgumentSyntax("<", ">", "</", after_closing_name=">"),
    ),
)
CHARACTER_DATA = Style(
    _turns(
        _each(
            '<function name="{{ f.name }}">'
            + _arguments(
                "<param name=\"{{ name }}\">{% if given is string and ('<' in given or '&' in given or "
                "'\\n' in given) %}<![CDATA[{{ value }}]]>{% else %}{{ value }}{% endif %}</param>"
            )
            + "</function>"
        )
    ),
    ToolFormat(
        call=('<function name="', NAME, '">', ARGUMENTS, "</function>"),
        separator="",
        arguments=ArgumentSyntax('<param name="', '">', "</param>", strings="cdata"),
    ),
)
"""MiniCPM5's."""

NATIVE_STYLES = {
    "parameter tags": PARAMETER_TAGS,
    "python literals": PYTHON_LITERALS,
    "keys and values": KEYS_AND_VALUES,
    "invoked": INVOKED,
    "kinds told": KINDS_TOLD,
    "python list": PYTHON_LIST,
    "quoted": QUOTED,
    "closed by name": CLOSED_BY_NAME,
    "character data": CHARACTER_DATA,
}
"""Whose arguments are not one JSON object."""
STYLES = {
    "tagged": TAGGED,
    "string arguments": STRING_ARGUMENTS,
    "bare": BARE,
    "listed": LISTED,
    "tokens": TOKENS,
    "name in tag": NAME_IN_TAG,
    "fenced": FENCED,
    "json list": JSON_LIST,
    "bare list": BARE_LIST,
    "arguments first": ARGUMENTS_FIRST,
    "id first": ID_FIRST,
    "ends otherwise": ENDS_OTHERWISE,
    "numbered": NUMBERED,
    "numbered names": NUMBERED_NAMES,
    **NATIVE_STYLES,
}

RUN_TOGETHER = _turns(
    _each("[{{ f.name }}({% for name, value in f.arguments | items %}{{ name }}={{ value | tojson }}{% endfor %})]")
)
NAME_FIRST = _turns(_each("{{ f.name }}\n{{ f.arguments | tojson }}"))
LONG = _turns(_each(_OBJECT) + "And so on" * 50)
NO_CALLS = _turns("").replace("{% if message.tool_calls %}{% endif %}", "").replace("{{ tools | tojson }}", "")
