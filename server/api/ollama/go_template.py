"""render_go_template: the prompt that a template in Ollama's language, Go's text/template, makes of a request.

It is translated to Jinja, which renders it within the bounds of chat templates. Of the language there are texts,
fields, variables, pipelines, `if`, `range`, `with`, `break`, `continue`, comments and the functions of FUNCTIONS.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from server.http.fields import preview
from slots.errors import InvalidRequest

if TYPE_CHECKING:
    from server.chat.template.jinja_environment import ChatEnvironment

Arguments = Sequence[str]
FUNCTIONS: Mapping[str, tuple[int, Callable[[Arguments], str]]] = {
    "eq": (2, lambda values: "(" + " or ".join(f"{values[0]} == {other}" for other in values[1:]) + ")"),
    "ne": (2, lambda values: f"({values[0]} != {values[1]})"),
    "lt": (2, lambda values: f"({values[0]} < {values[1]})"),
    "le": (2, lambda values: f"({values[0]} <= {values[1]})"),
    "gt": (2, lambda values: f"({values[0]} > {values[1]})"),
    "ge": (2, lambda values: f"({values[0]} >= {values[1]})"),
    "and": (1, lambda values: "(" + " and ".join(values) + ")"),
    "or": (1, lambda values: "(" + " or ".join(values) + ")"),
    "not": (1, lambda values: f"(not {values[0]})"),
    "len": (1, lambda values: f"({values[0]}|length)"),
    "index": (2, lambda values: values[0] + "".join(f"[{key}]" for key in values[1:])),
    "slice": (2, lambda values: f"{values[0]}[{':'.join(values[1:])}{'' if values[2:] else ':'}]"),
    "json": (1, lambda values: f"({values[0]}|tojson)"),
    "print": (1, lambda values: "(" + " ~ ".join(values) + ")"),
}
"""By name: the least number of arguments, and the expression of Jinja for theirs."""

_ACTION = re.compile(r"\{\{(-(?=\s))?\s*(.*?)\s*((?<=\s)-)?\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"\s*(?:(?P<text>\"(?:\\.|[^\"\\])*\"|`[^`]*`)|(?P<number>-?[0-9]+(?:\.[0-9]+)?)"
    r"|(?P<path>\$?[A-Za-z_]\w*(?:\.\w+)*|\$(?:\.\w+)*|\.(?:\w+(?:\.\w+)*)?)|(?P<mark>:=|=|[()|,]))",
)
_WORDS = {"true": "true", "false": "false", "nil": "none"}
_ROOT = "root"


def render_go_template(source: str, values: Mapping[str, object]) -> str:
    """Returns the text of a template for `values`, which are its fields. A template that does not go through the
    Messages ends where it has the Response, which the model is to write.

    For a worker thread. Raises InvalidRequest for what is not understood, and for a template that fails.
    """
    from server.chat.template.jinja_environment import MAX_STEPS, render_within_bounds  # noqa: PLC0415 - imports Jinja

    translated = _Translator(source).translate()
    variables = {**dict.fromkeys(("System", "Prompt", "Suffix", "Response"), ""), "Tools": [], **values}
    try:
        template = _environment().parse_chat_template(translated)
        return render_within_bounds(template, {_ROOT: variables}, MAX_STEPS)
    except Exception as error:  # a template can raise anything that Python can
        raise _wrong(str(error) or type(error).__name__) from None


@cache
def _environment() -> "ChatEnvironment":
    from server.chat.template.jinja_environment import ChatEnvironment  # noqa: PLC0415 - as above

    return ChatEnvironment()


def _wrong(what: str) -> InvalidRequest:
    return InvalidRequest("template", f"expected a template in Ollama's language, got one that fails: {what}")


class _Translator:
    """Translates one template."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._stops_at_response = ".Messages" not in source
        self._ends: list[str] = []
        """Of the open blocks: what closes each."""
        self._dots = [_ROOT]
        """Of the open blocks: what a dot stands for."""

    def translate(self) -> str:
        parts: list[str] = []
        position, trims = 0, False
        for action in _ACTION.finditer(self._source):
            text = self._source[position : action.start()]
            text = text.lstrip() if trims else text
            parts.append(_literal(text.rstrip() if action[1] else text))
            position, trims = action.end(), bool(action[3])
            if self._stops_at_response and re.match(r"(if\s+)?\.Response\b", action[2]):
                return "".join([*parts, *reversed(self._ends)])
            parts.append(self._action(action[2]))
        if self._ends:
            raise _wrong("a block has no end")
        rest = self._source[position:]
        return "".join([*parts, _literal(rest.lstrip() if trims else rest)])

    def _action(self, action: str) -> str:
        if action.startswith("/*"):
            return ""
        word, _, rest = action.partition(" ")
        match word:
            case "if":
                return self._open("{% endif %}", self._dots[-1], f"{{% if {self._pipeline(rest)} %}}")
            case "with":
                dot = f"dot{len(self._dots)}"
                start = f"{{% set {dot} = {self._pipeline(rest)} %}}{{% if {dot} %}}"
                return self._open("{% endif %}", dot, start)
            case "range":
                return self._open_range(rest)
            case "else":
                return self._else(rest.strip())
            case "end":
                return self._close()
            case "break" | "continue":
                return f"{{% {word} %}}"
        variable, value = self._assignment(action)
        return f"{{% set {variable} = {value} %}}" if variable else f"{{{{ {value} }}}}"

    def _open(self, end: str, dot: str, start: str) -> str:
        self._ends.append(end)
        self._dots.append(dot)
        return start

    def _open_range(self, rest: str) -> str:
        named = re.match(r"(?:\$(\w+)\s*,\s*)?\$(\w+)\s*:=\s*(.*)", rest, re.DOTALL)
        item = f"v_{named[2]}" if named else f"dot{len(self._dots)}"
        values = self._pipeline(named[3] if named else rest)
        index = f"{{% set v_{named[1]} = loop.index0 %}}" if named and named[1] else ""
        return self._open("{% endfor %}", item, f"{{% for {item} in {values} %}}{index}")

    def _else(self, rest: str) -> str:
        if not self._ends:
            raise _wrong("an else without a block")
        if not rest:
            return "{% else %}"
        word, _, condition = rest.partition(" ")
        if word != "if":
            raise _wrong(f"else {preview(rest)}")
        return f"{{% elif {self._pipeline(condition)} %}}"

    def _close(self) -> str:
        if not self._ends:
            raise _wrong("an end without a block")
        self._dots.pop()
        return self._ends.pop()

    def _assignment(self, action: str) -> tuple[str | None, str]:
        named = re.match(r"\$(\w+)\s*:?=\s*(.*)", action, re.DOTALL)
        return (f"v_{named[1]}", self._pipeline(named[2])) if named else (None, self._pipeline(action))

    def _pipeline(self, text: str) -> str:
        tokens = _tokens(text)
        value = self._commands(tokens)
        if tokens:
            raise _wrong(preview(text))
        return value

    def _commands(self, tokens: list[re.Match[str]]) -> str:
        """Reads commands joined by bars: each gets the value of the one before as its last argument."""
        value = self._command(tokens, [])
        while tokens and tokens[0]["mark"] == "|":
            del tokens[0]
            value = self._command(tokens, [value])
        return value

    def _command(self, tokens: list[re.Match[str]], last: list[str]) -> str:
        name = str(tokens[0]["path"]) if tokens else ""
        if name in FUNCTIONS:
            del tokens[0]
            arguments: list[str] = []
            while tokens and tokens[0]["mark"] not in (")", "|"):
                arguments.append(self._operand(tokens))
            least, write = FUNCTIONS[name]
            if len(arguments) + len(last) < least:
                raise _wrong(f"{name} with too few arguments")
            return write([*arguments, *last])
        if last:
            raise _wrong(f"a value for {preview(name)}, which is no function")
        return self._operand(tokens)

    def _operand(self, tokens: list[re.Match[str]]) -> str:
        if not tokens:
            raise _wrong("an action without a value")
        token = tokens.pop(0)
        if token["mark"] == "(":
            value = self._commands(tokens)
            if not tokens or tokens.pop(0)["mark"] != ")":
                raise _wrong("a parenthesis that is not closed")
            return f"({value})" + self._fields_of_parenthesis(tokens)
        if token["text"]:
            return _string(_unquoted(token["text"]))
        return token["number"] or self._path(token["path"])

    def _fields_of_parenthesis(self, tokens: list[re.Match[str]]) -> str:
        """Reads the fields that follow a parenthesis without a space, as in `(index .Messages 0).Content`."""
        if not tokens or not (path := tokens[0]["path"] or "").startswith(".") or tokens[0][0] != path:
            return ""
        del tokens[0]
        return _subscripts(path.split("."))

    def _path(self, path: str | None) -> str:
        if path in _WORDS:
            return _WORDS[path]
        if path is None or path[0] not in ".$":
            raise _wrong(f"the function {preview(path)}, which is not one of {', '.join(FUNCTIONS)}")
        first, *fields = path.split(".")
        start = self._dots[-1] if not first else _ROOT if first == "$" else f"v_{first[1:]}"
        return start + _subscripts(fields)


def _subscripts(fields: Sequence[str]) -> str:
    return "".join(f"[{_string(field)}]" for field in fields if field)


def _tokens(text: str) -> list[re.Match[str]]:
    tokens: list[re.Match[str]] = []
    position, text = 0, text.rstrip()
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise _wrong(preview(text[position:].strip()))
        tokens.append(token)
        position = token.end()
    return tokens


def _unquoted(text: str) -> str:
    if text[0] == "`":
        return text[1:-1]
    escapes = {"n": "\n", "t": "\t", "r": "\r"}
    return re.sub(r"\\(.)", lambda escape: escapes.get(escape[1], escape[1]), text[1:-1])


def _literal(text: str) -> str:
    """Returns a text as an expression, so that Jinja sees none of its own marks in it, and trims nothing."""
    return f"{{{{ {_string(text)} }}}}" if text else ""


def _string(text: str) -> str:
    escaped = text.encode("unicode_escape").decode().replace('"', "\\x22").replace("{", "\\x7b").replace("}", "\\x7d")
    return f'"{escaped}"'
