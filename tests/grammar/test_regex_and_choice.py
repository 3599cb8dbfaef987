import json

import pytest

from grammar.errors import GrammarError
from tests.grammar.byte_level import compile_grammar, matches


@pytest.mark.parametrize(
    ("expression", "matching", "others"),
    [
        (r"[a-z]+@[a-z]+\.(com|org)", ["a@b.com"], ["a@b.net", "a@b.com "]),
        (r"\d{2}/\d{2}", ["12/34"], ["1/2"]),
        ("^ab$", ["ab"], ["abc"]),
        ("(?i)ab?", ["A", "aB"], ["b"]),
        ("a\n\"#/'", ["a\n\"#/'"], ["a"]),
        (r"a\/\\b", ["a/\\b"], ["a/b"]),
        ("", [""], ["a"]),
        ("a*b|", ["", "aab"], ["aa"]),
        (".", ["é", "😀"], ["\n", ""]),
        (r"(?s:.)\p{Greek}", ["\nλ"], ["aa"]),
    ],
)
def test_a_regular_expression_matches_all_of_a_text(expression: str, matching: list[str], others: list[str]) -> None:
    grammar = compile_grammar(expression, "regex")
    assert [text for text in [*matching, *others] if matches(grammar, text)] == matching


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("a(", "unclosed group"),
        ("[z-a]", "invalid character class range"),
        ("*a", "repetition operator missing expression"),
        (r"\q", "unrecognized escape sequence"),
        (r"(a)\1", "backreferences are not supported"),
        ("(?=a)b", "look-around, including look-ahead and look-behind, is not supported"),
        ("a^b", "'^' is supported only at the ends, where it changes nothing: all of the text has to match"),
        ("(a$)*", "'$' is supported only at the ends"),
        (r"a\b", "word boundaries are not supported"),
        ("a\\", "the regular expression ends with a backslash that escapes nothing"),
        (r"[^\s\S]", "the model has no token that the grammar could go on with"),
    ],
)
def test_what_is_wrong_with_a_regular_expression_is_told(expression: str, message: str) -> None:
    with pytest.raises(GrammarError) as caught:
        compile_grammar(expression, "regex")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_choice_matches_each_of_its_strings() -> None:
    options = ["yes", "no", "no way", 'a "quoted" / \\ thing\n', "é漢😀"]
    grammar = compile_grammar(json.dumps(options), "choice")
    assert [text for text in [*options, "", "ye", "no w", "yesno"] if matches(grammar, text)] == options


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "the choice is not JSON: "),
        ("{}", "a choice is a list of at least one string"),
        ("[]", "a choice is a list of at least one string"),
        ('["a", ""]', "a choice is a list of strings that are not empty, number 2 is ''"),
        ("[1]", "a choice is a list of strings that are not empty, number 1 is 1"),
        ('["a", "b", "a"]', "the choice has 'a' twice"),
        (r'["\ud800"]', "number 1 of the choice has half of a surrogate pair"),
    ],
)
def test_what_is_wrong_with_a_choice_is_told(text: str, message: str) -> None:
    with pytest.raises(GrammarError) as caught:
        compile_grammar(text, "choice")
    assert str(caught.value).startswith(message)
