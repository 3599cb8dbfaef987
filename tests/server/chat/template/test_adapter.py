from server.chat.messages import read_messages
from tests.server.chat.chat_messages import TOOL, assistant, assistant_calls, render, system, tool_result, user
from tests.server.chat.templates import BRACKETS, HEADERS_AND_DATE, NO_SYSTEM, ROLES_ONLY, TAGGED_TOOLS, TYPED_PARTS

ADD = ("call_1", "add", '{"a": 1}')
SUM = ("call_2", "sum", '{"b": [2, 3]}')


def test_chat_in_the_templates_own_terms_is_left_alone() -> None:
    text = render(ROLES_ONLY, system("Be brief."), user("Hi"), assistant("Yes?"), user("Bye"))
    assert text == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\nYes?<|im_end|>\n"
        "<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n"
    )


def test_generation_prompt_is_left_out_if_asked() -> None:
    assert render(ROLES_ONLY, user("Hi"), add_generation_prompt=False) == "<|im_start|>user\nHi<|im_end|>\n"


def test_variables_reach_the_template() -> None:
    assert render(HEADERS_AND_DATE, user("Hi"), template_kwargs={"date_string": "today"}).startswith(
        "<s><|head|>system<|end_head|>\n\nToday: today\n<|eot|>"
    )


def test_documents_reach_the_template() -> None:
    source = "{% for document in documents or [] %}{{ document.text }}{% endfor %}"
    assert render(source, user("Hi"), documents=[{"text": "a"}, {"text": "b"}]) == "ab"


def test_empty_list_of_tools_is_none() -> None:
    source = "{{ tools is none }}"
    assert (render(source, user("Hi"), tools=[]), render(source, user("Hi"), tools=[TOOL])) == ("True", "False")


def test_system_message_goes_in_front_of_the_users() -> None:
    text = render(NO_SYSTEM, system("Be brief."), user("Hi"), assistant("Yes?"), user("Bye"))
    assert (
        text == "<s><turn>user\nBe brief.\n\nHi</turn>\n<turn>model\nYes?</turn>\n<turn>user\nBye</turn>\n<turn>model\n"
    )


def test_later_system_message_goes_to_the_user_beside_it() -> None:
    rule = system("Be brief.")
    expected = "<s><turn>user\nHi\n\nBe brief.</turn>\n<turn>model\n"
    assert render(NO_SYSTEM, user("Hi"), rule) == expected
    assert "<turn>user\nBe brief.\n\nBye</turn>" in render(NO_SYSTEM, user("Hi"), assistant("Yes?"), rule, user("Bye"))


def test_system_message_alone_becomes_the_users() -> None:
    assert render(NO_SYSTEM, system("Be brief.")) == "<s><turn>user\nBe brief.</turn>\n<turn>model\n"


def test_typed_template_gets_parts() -> None:
    assert render(TYPED_PARTS, system("Be brief."), user("Hi")) == "SYSTEM: Be brief.\nUSER: Hi\nASSISTANT:"


def test_parts_of_a_user_reach_a_template_that_reads_them_either_way() -> None:
    parts = {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]}
    source = (
        "{% for m in messages %}<{{ m.role }}>{% if m.content is string %}{{ m.content }}"
        "{% else %}{% for part in m.content %}{{ part.text }}{% endfor %}{% endif %}{% endfor %}"
    )
    assert render(source, *read_messages([parts])) == "<user>onetwo"
    assert render(ROLES_ONLY, *read_messages([parts]), add_generation_prompt=False).count("one\ntwo") == 1


def test_arguments_that_were_cut_off_are_an_object_as_far_as_they_go() -> None:
    source = (
        "{% for m in messages %}{{ m.content }}{% for c in m.tool_calls or [] %}{{ c.function.name }}"
        "{% for name, value in c.function.arguments.items() %}[{{ name }}={{ value }}]{% endfor %}{% endfor %}"
        "{% endfor %}"
    )
    for arguments, shown in (('{"text": "ab', "[text=ab]"), ("[1]", "[arguments=[1]]"), ("no", "[arguments=no]")):
        assert shown in render(source, user("Hi"), assistant_calls(("call_1", "add", arguments)))


def test_arguments_come_as_the_template_wants_them() -> None:
    assert '"arguments": {"b": [2, 3]}}</tool_call>' in render(TAGGED_TOOLS, user("Hi"), assistant_calls(SUM))
    assert 'sum[ID]abcdefghi[ARGS]{"b": [2, 3]}</s>' in render(
        BRACKETS, user("Hi"), assistant_calls(("abcdefghi", *SUM[1:]))
    )


def test_call_without_content_does_not_say_none() -> None:
    assert "None" not in render(TAGGED_TOOLS, user("Hi"), assistant_calls(ADD))


def test_long_ids_are_shortened_alike_in_call_and_result() -> None:
    text = render(
        BRACKETS, user("Hi"), assistant_calls(ADD, SUM), tool_result("call_1", "one"), tool_result("call_2", "five")
    )
    first, second = (text.split(f"{name}[ID]")[1][:9] for name in ("add", "sum"))
    assert first != second
    assert f'{{"id": "{first}", "content": "one"}}' in text
    assert f'{{"id": "{second}", "content": "five"}}' in text


def test_calls_follow_one_another_where_a_message_may_have_one() -> None:
    chat = (
        user("Hi"),
        assistant_calls(ADD, SUM),
        tool_result("call_2", "five"),
        tool_result("call_1", "one"),
        assistant("Six."),
    )
    text = render(HEADERS_AND_DATE, *chat)
    places = [text.index(part) for part in ('"name": "add"', "\n\none<", '"name": "sum"', "\n\nfive<", "Six.")]
    assert places == sorted(places)


def test_result_of_no_known_call_is_not_lost_among_them() -> None:
    assert "\n\nlost<" in render(HEADERS_AND_DATE, user("Hi"), assistant_calls(ADD, SUM), tool_result("other", "lost"))


def test_calls_and_results_are_put_in_words() -> None:
    chat = (
        user("Hi"),
        assistant_calls(ADD, SUM),
        tool_result("call_1", "one"),
        tool_result("call_2", "five"),
        user("And?"),
    )
    assert render(NO_SYSTEM, *chat) == (
        "<s><turn>user\nHi</turn>\n"
        '<turn>model\n<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>\n'
        '<tool_call>\n{"name": "sum", "arguments": {"b": [2, 3]}}\n</tool_call></turn>\n'
        "<turn>user\n<tool_response>\none\n</tool_response>\n\n<tool_response>\nfive\n</tool_response>\n\nAnd?</turn>\n<turn>model\n"
    )


def test_call_in_words_follows_what_was_said() -> None:
    said = assistant_calls(ADD) | {"content": "Let me see."}
    assert "assistant\nLet me see.\n<tool_call>" in render(ROLES_ONLY, user("Hi"), said, tool_result("call_1", "one"))


def test_role_that_the_template_only_passes_on_is_not_known_to_it() -> None:
    assert "<|im_start|>user\n<tool_response>\none\n</tool_response><|im_end|>" in render(
        ROLES_ONLY, user("Hi"), assistant_calls(ADD), tool_result("call_1", "one")
    )


def test_messages_of_the_request_stay_as_they_are() -> None:
    chat = [system("Be brief."), user("Hi"), assistant_calls(ADD), tool_result("call_1", "one")]
    before = repr(chat)
    render(NO_SYSTEM, *chat)
    assert repr(chat) == before
