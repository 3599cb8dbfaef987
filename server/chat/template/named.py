"""NAMED_TEMPLATES: the chat formats that llama.cpp knows by name, as Jinja templates."""

from collections.abc import Mapping
from dataclasses import dataclass

from server.chat.template.constants import CHATML

ROLE = "ROLE"
"""Stands for the name of a message's role in the text before its content."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The texts around the content of a message."""

    before: str = ""
    after: str = ""
    trims: bool = False
    """Whether white space around the content is left out."""
    role: str = "message.role"
    """The expression for the name of the role."""

    @property
    def jinja(self) -> str:
        """The statement that writes a message."""
        head, found, tail = self.before.partition(ROLE)
        before = f"{head!r} + ({self.role}) + {tail!r}" if found else repr(head)
        content = "(message.content | trim)" if self.trims else "message.content"
        return f"{{{{- {before} + {content} + {self.after!r} }}}}"


def _write(text: str) -> str:
    return f"{{{{- {text!r} }}}}"


def _for_each(body: str, answer: str = "", start: str = "") -> str:
    """Returns a template that writes `start`, then each message by `body`, and what an answer begins with."""
    ending = f"{{%- if add_generation_prompt %}}{_write(answer)}{{%- endif %}}"
    return f"{_write(start)}{{%- for message in messages %}}{body}{{%- endfor %}}{ending}"


def _alike(turn: Turn, answer: str, start: str = "") -> str:
    """Returns the template of a format that writes all roles alike."""
    return _for_each(turn.jinja, answer, start)


def _by_role(turns: Mapping[str, Turn], answer: str = "", start: str = "", other: Turn | None = None) -> str:
    """Returns the template of a format that writes each role in its own way, and all that have none as `other`."""
    return _for_each(_cases(turns, other), answer, start)


def _cases(turns: Mapping[str, Turn], other: Turn | None) -> str:
    cases = [f"if message.role == {role!r} %}}{turn.jinja}" for role, turn in turns.items()]
    rest = f"{{%- else %}}{other.jinja}" if other else ""
    return "{%- " + "{%- el".join(cases) + rest + "{%- endif %}"


def _in_brackets(system: Turn, user: Turn, answer: Turn, opening: str, start: str = "") -> str:
    """Returns the template of a format in which an instruction is opened by what comes first after an answer, or after
    the start of the text if that opens none."""
    turns = {"system": system, "user": user}
    open_once = f"{{%- if not ns.is_open %}}{_write(opening)}{{%- set ns.is_open = true %}}{{%- endif %}}"
    close = "{%- if message.role not in ('system', 'user') %}{%- set ns.is_open = false %}{%- endif %}"
    is_open = "true" if start else "false"
    return f"{{%- set ns = namespace(is_open={is_open}) %}}" + _for_each(
        open_once + _cases(turns, answer) + close, start=start
    )


def _mistral(lead: str, space: str, *, trims: bool = False) -> str:
    user, answer = Turn("", f"{lead}[/INST]"), Turn(space, "</s>", trims)
    return _in_brackets(Turn("", "\n\n"), user, answer, f"{lead}[INST]{space}")


def _mistral_v7(space: str) -> str:
    turns = {
        "system": Turn(f"[SYSTEM_PROMPT]{space}", "[/SYSTEM_PROMPT]"),
        "user": Turn(f"[INST]{space}", "[/INST]"),
    }
    return _by_role(turns, other=Turn(space, "</s>"))


def _llama2(system: Turn, *, bos: str = "", trims: bool = False) -> str:
    user, answer = Turn("", " [/INST]", trims), Turn("", "</s>", trims)
    return _in_brackets(system, user, answer, f"{bos}[INST] ", "[INST] ")


def _exaone(tool: dict[str, Turn]) -> str:
    turns = {
        "system": Turn("[|system|]", "[|endofturn|]\n", trims=True),
        "user": Turn("[|user|]", "\n", trims=True),
        "assistant": Turn("[|assistant|]", "[|endofturn|]\n", trims=True),
    }
    return _by_role(turns | tool, "[|assistant|]")


def _vicuna(system: Turn) -> str:
    turns = {"system": system, "user": Turn("USER: ", "\n"), "assistant": Turn("ASSISTANT: ", "</s>\n")}
    return _by_role(turns, "ASSISTANT:")


def _bailing(after: str, answer: str) -> str:
    role = "'HUMAN' if message.role == 'user' else message.role | upper"
    return _alike(Turn("<role>ROLE</role>", after, role=role), answer)


def _with_system_in_user(system: str, user: Turn, other: Turn, answer: str) -> str:
    """Returns the template of a format without system messages: their texts, of which `system` is the expression, come
    before that of the next user message."""
    keep = f"{{%- set ns.system = ns.system + {system} %}}"
    head, _, tail = user.before.partition(ROLE)
    opening = f"{head!r} + ({user.role}) + {tail!r}" if ROLE in user.before else repr(head)
    add = "(ns.system + '\\n\\n' if ns.system else '')"
    content = "(message.content | trim)" if user.trims else "message.content"
    write_user = f"{{{{- {opening} + {add} + {content} + {user.after!r} }}}}{{%- set ns.system = '' %}}"
    body = (
        f"{{%- if message.role == 'system' %}}{keep}{{%- elif message.role == 'assistant' %}}{other.jinja}"
        f"{{%- else %}}{write_user}{{%- endif %}}"
    )
    return "{%- set ns = namespace(system='') %}" + _for_each(body, answer)


_GRANITE = _alike(
    Turn("<|start_of_role|>ROLE<|end_of_role|>", "<|end_of_text|>\n"), "<|start_of_role|>assistant<|end_of_role|>"
)
_SYS = Turn("<<SYS>>\n", "\n<</SYS>>\n\n")
_END_DEEPSEEK = "<｜end▁of▁sentence｜>"
_COMMAND_R = "<|START_OF_TURN_TOKEN|><|{}_TOKEN|>"
_END_COMMAND_R = "<|END_OF_TURN_TOKEN|>"

NAMED_TEMPLATES = {
    "chatml": CHATML,
    "llama2": _llama2(Turn("", "\n")),
    "llama2-sys": _llama2(_SYS),
    "llama2-sys-bos": _llama2(_SYS, bos="<s>"),
    "llama2-sys-strip": _llama2(Turn(_SYS.before, _SYS.after, trims=True), trims=True),
    "mistral-v1": _mistral(" ", " "),
    "mistral-v3": _mistral("", " ", trims=True),
    "mistral-v3-tekken": _mistral("", ""),
    "mistral-v7": _mistral_v7(" "),
    "mistral-v7-tekken": _mistral_v7(""),
    "phi3": _alike(Turn("<|ROLE|>\n", "<|end|>\n"), "<|assistant|>\n"),
    "phi4": _alike(Turn("<|im_start|>ROLE<|im_sep|>", "<|im_end|>"), "<|im_start|>assistant<|im_sep|>"),
    "falcon3": _alike(Turn("<|ROLE|>\n", "\n"), "<|assistant|>\n"),
    "zephyr": _alike(Turn("<|ROLE|>\n", "<|endoftext|>\n"), "<|assistant|>\n"),
    "monarch": _for_each("{{- '' if loop.first else '<s>' }}" + Turn("ROLE\n", "</s>\n").jinja, "<s>assistant\n"),
    "gemma": _with_system_in_user(
        "(message.content | trim)",
        Turn("<start_of_turn>ROLE\n", "<end_of_turn>\n", trims=True),
        Turn("<start_of_turn>model\n", "<end_of_turn>\n", trims=True),
        "<start_of_turn>model\n",
    ),
    "orion": _with_system_in_user("message.content", Turn("Human: ", "\n\nAssistant: </s>"), Turn("", "</s>"), ""),
    "openchat": _by_role(
        {"system": Turn("", "<|end_of_turn|>")},
        "GPT4 Correct Assistant:",
        other=Turn("GPT4 Correct ROLE: ", "<|end_of_turn|>", role="message.role | capitalize"),
    ),
    "vicuna": _vicuna(Turn("", "\n\n")),
    "vicuna-orca": _vicuna(Turn("SYSTEM: ", "\n")),
    "deepseek": _by_role(
        {
            "system": Turn(),
            "user": Turn("### Instruction:\n", "\n"),
            "assistant": Turn("### Response:\n", "\n<|EOT|>\n"),
        },
        "### Response:\n",
    ),
    "deepseek2": _by_role(
        {
            "system": Turn("", "\n\n"),
            "user": Turn("User: ", "\n\n"),
            "assistant": Turn("Assistant: ", _END_DEEPSEEK),
        },
        "Assistant:",
    ),
    "deepseek3": _by_role(
        {
            "system": Turn("", "\n\n"),
            "user": Turn("<｜User｜>"),
            "assistant": Turn("<｜Assistant｜>", _END_DEEPSEEK),
        },
        "<｜Assistant｜>",
    ),
    "deepseek-ocr": _for_each(Turn().jinja),
    "command-r": _by_role(
        {
            "system": Turn(_COMMAND_R.format("SYSTEM"), _END_COMMAND_R, trims=True),
            "user": Turn(_COMMAND_R.format("USER"), _END_COMMAND_R, trims=True),
            "assistant": Turn(_COMMAND_R.format("CHATBOT"), _END_COMMAND_R, trims=True),
        },
        _COMMAND_R.format("CHATBOT"),
    ),
    "llama3": _alike(
        Turn("<|start_header_id|>ROLE<|end_header_id|>\n\n", "<|eot_id|>", trims=True),
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
    ),
    "chatglm3": _alike(Turn("<|ROLE|>\n "), "<|assistant|>", "[gMASK]sop"),
    "chatglm4": _alike(Turn("<|ROLE|>\n"), "<|assistant|>\n", "[gMASK]<sop>"),
    "glmedge": _alike(Turn("<|ROLE|>\n"), "<|assistant|>"),
    "minicpm": _by_role({"user": Turn("<用户>", "<AI>", trims=True)}, other=Turn(trims=True)),
    "exaone3": _exaone({}),
    "exaone4": _exaone({"tool": Turn("[|tool|]", "[|endofturn|]\n", trims=True)}),
    "exaone-moe": _by_role(
        {
            role: Turn(f"<|{role}|>\n", "<|endofturn|>\n", trims=True)
            for role in ("system", "user", "assistant", "tool")
        },
        "<|assistant|>\n",
    ),
    "rwkv-world": _for_each(
        _cases(
            {
                "system": Turn("System: ", "\n\n", trims=True),
                "user": Turn("User: ", "\n\n", trims=True),
                "assistant": Turn("Assistant: ", "\n\n", trims=True),
            },
            None,
        )
        + "{%- if loop.last and message.role == 'user' %}{{- 'Assistant:' }}{%- endif %}"
    ),
    "granite": _GRANITE,
    "granite-4.0": _GRANITE,
    "granite-4.1": _GRANITE,
    "gigachat": _for_each(
        "{%- if loop.first and message.role == 'system' %}"
        + Turn("", "<|message_sep|>").jinja
        + "{%- else %}"
        + _cases(
            {
                "user": Turn("user<|role_sep|>", "<|message_sep|>available functions<|role_sep|>[]<|message_sep|>"),
                "assistant": Turn("assistant<|role_sep|>", "<|message_sep|>"),
            },
            None,
        )
        + "{%- endif %}",
        "assistant<|role_sep|>",
        "<s>",
    ),
    "megrez": _alike(Turn("<|role_start|>ROLE<|role_end|>", "<|turn_end|>"), "<|role_start|>assistant<|role_end|>"),
    "yandex": _by_role(
        {"user": Turn(" Пользователь: ", "\n\n"), "assistant": Turn(" Ассистент: ", "\n\n")}, " Ассистент:[SEP]"
    ),
    "bailing": _bailing("", "<role>ASSISTANT</role>"),
    "bailing-think": _bailing("", "<role>ASSISTANT</role><think>"),
    "bailing2": "{%- if messages[0].role != 'system' %}"
    + _write("<role>SYSTEM</role>detailed thinking off<|role_end|>")
    + "{%- endif %}"
    + _bailing("<|role_end|>", "<role>ASSISTANT</role>"),
    "llama4": _alike(
        Turn("<|header_start|>ROLE<|header_end|>\n\n", "<|eot|>", trims=True),
        "<|header_start|>assistant<|header_end|>\n\n",
    ),
    "smolvlm": _by_role(
        {"system": Turn("", "\n\n"), "user": Turn("User: ", "<end_of_utterance>\n")},
        "Assistant:",
        "<|im_start|>",
        Turn("Assistant: ", "<end_of_utterance>\n"),
    ),
    "hunyuan-moe": _by_role(
        {"system": Turn("<|startoftext|>", "<|extra_4|>"), "assistant": Turn("", "<|eos|>")},
        other=Turn("<|startoftext|>", "<|extra_0|>"),
    ),
    "gpt-oss": _by_role(
        {"assistant": Turn("<|start|>assistant<|message|>", "<|return|>")},
        "<|start|>assistant",
        other=Turn("<|start|>ROLE<|message|>", "<|end|>"),
    ),
    "hunyuan-dense": _for_each(
        "{%- if loop.first and message.role == 'system' %}"
        + Turn("", "<｜hy_place▁holder▁no▁3｜>").jinja
        + "{%- endif %}"
        + _cases(
            {
                "assistant": Turn("<｜hy_Assistant｜>", "<｜hy_place▁holder▁no▁2｜>"),
                "user": Turn("<｜hy_User｜>", "<｜hy_Assistant｜>"),
            },
            None,
        )
    ),
    "hunyuan-vl": _for_each(
        "{%- if loop.first and message.role == 'system' %}"
        + Turn("", "<｜hy_place▁holder▁no▁3｜>").jinja
        + "{%- else %}"
        + _cases({"user": Turn("", "<｜hy_User｜>"), "assistant": Turn("", "<｜hy_Assistant｜>")}, None)
        + "{%- endif %}",
        start="<｜hy_begin▁of▁sentence｜>",
    ),
    "kimi-k2": _by_role(
        {
            "system": Turn("<|im_system|>system<|im_middle|>", "<|im_end|>"),
            "user": Turn("<|im_user|>user<|im_middle|>", "<|im_end|>"),
            "assistant": Turn("<|im_assistant|>assistant<|im_middle|>", "<|im_end|>"),
            "tool": Turn("<|im_system|>tool<|im_middle|>", "<|im_end|>"),
        },
        "<|im_assistant|>assistant<|im_middle|>",
    ),
    "seed_oss": _by_role(
        {"assistant": Turn("<seed:bos>assistant\n", "<seed:eos>", trims=True)},
        "<seed:bos>assistant\n",
        other=Turn("<seed:bos>ROLE\n", "<seed:eos>"),
    ),
    "grok-2": _by_role(
        {
            "system": Turn("System: ", "<|separator|>\n\n", trims=True),
            "user": Turn("Human: ", "<|separator|>\n\n", trims=True),
            "assistant": Turn("Assistant: ", "<|separator|>\n\n"),
        },
        "Assistant:",
    ),
    "pangu-embedded": "{%- if messages[0].role != 'system' %}"
    + _write("[unused9]系统：[unused10]")
    + "{%- endif %}"
    + _by_role(
        {
            "system": Turn("[unused9]系统：", "[unused10]"),
            "user": Turn("[unused9]用户：", "[unused10]"),
            "assistant": Turn("[unused9]助手：", "[unused10]"),
            "tool": Turn("[unused9]工具：", "[unused10]"),
        },
        "[unused9]助手：",
    ),
    "solar-open": _alike(Turn("<|begin|>ROLE<|content|>", "<|end|>"), "<|begin|>assistant"),
}
"""By name; what each writes is what `llama_chat_apply_template` writes."""
