import pytest

from grammar.errors import GrammarError
from grammar.limits import MAX_DEPTH, MAX_REPETITION, MAX_RULES
from tests.grammar.byte_level import compile_grammar, feed, matches


@pytest.mark.parametrize(
    ("grammar", "matching", "others"),
    [
        ('root ::= "ab" | "c"', ["ab", "c"], ["", "a", "abc"]),
        ('root ::= "a" ("b" | "c") "d"', ["abd", "acd"], ["ad", "abcd"]),
        ('root ::= "a"* "b"+ "c"?', ["b", "aabbc"], ["", "a", "bcc"]),
        ('root ::= "ab"{2} "c"{1,} "d"{0,2}', ["ababc", "ababccdd"], ["abc", "ababcddd"]),
        ('root ::= "a"{ 2 , 3 }', ["aa", "aaa"], ["a", "aaaa"]),
        ('root ::= "a"{2}{2}', ["aaaa"], ["aa", "aaa"]),
        ('root ::= "a"{0} "b"', ["b"], ["ab"]),
        ("root ::= [a-c1] [^a-c]", ["ad", "1\n", "cé"], ["dd", "aa", "a"]),
        ("root ::= [-a] [a-] [+-]", ["-a-", "a-+"], ["b--"]),
        ("root ::= .", ["a", "\n", "é", "😀"], ["", "ab"]),
        ('root ::= "" | "a"', ["", "a"], ["aa"]),
        ("root ::= first-part\nfirst-part ::= [0-9]", ["7"], ["a"]),
    ],
)
def test_a_grammar_matches_what_its_notation_says(grammar: str, matching: list[str], others: list[str]) -> None:
    assert [text for text in [*matching, *others] if matches(compile_grammar(grammar), text)] == matching


@pytest.mark.parametrize(
    ("grammar", "text"),
    [
        (r'root ::= "\n\t\r\\\"\[\]\-"', '\n\t\r\\"[]-'),
        (r'root ::= "\x41\xe9"', "Aé"),
        (r'root ::= "\u00e9\u6F22"', "é漢"),
        (r'root ::= "\U0001F600"', "😀"),
        (r"root ::= [\x41-\x43] [\]\-\\] [\u4e00-\u9fff] [\U0001F600-\U0001F64F]", "B]漢😃"),
        ('root ::= "é漢😀" [α-ω]', "é漢😀λ"),
        ('root ::= "/" [/"] "#"', "//#"),
    ],
)
def test_escapes_and_characters_of_all_lengths_stand_for_themselves(grammar: str, text: str) -> None:
    assert matches(compile_grammar(grammar), text)


@pytest.mark.parametrize(
    "grammar",
    [
        'root ::= "a" | # a comment, with "marks"\n  "b"',
        'root ::=\n\n  "b"',
        'root ::= (\n  "a"\n  | "b" # comment\n)',
        'root::="b"\r\nother ::= "c"\r\n',
        '# comment\n\nroot ::= x\n# comment\nx ::= "b"  # the end',
        '\troot\t::=\t"b"\t',
    ],
)
def test_comments_and_line_breaks_change_nothing_where_they_may_be(grammar: str) -> None:
    assert matches(compile_grammar(grammar), "b")
    assert not matches(compile_grammar(grammar), "c")


@pytest.mark.parametrize("half", ["é".encode()[:1], "漢".encode()[:2]])
def test_half_a_character_may_not_be_the_end(half: bytes) -> None:
    matcher = compile_grammar("root ::= .").matcher()
    assert feed(matcher, half)
    assert not matcher.may_end


def test_a_byte_that_no_text_has_does_not_match() -> None:
    assert not feed(compile_grammar("root ::= .*").matcher(), b"\xff")
    assert not feed(compile_grammar("root ::= .*").matcher(), b"\x80")


@pytest.mark.parametrize(
    ("grammar", "message"),
    [
        ("", "the grammar has no rule 'root', which is where it starts"),
        ('other ::= "a"', "the grammar has no rule 'root', which is where it starts"),
        ("root ::= a\na ::= b", "line 2, column 7: the rule 'b' is not defined"),
        ('root ::= "a"\nroot ::= "b"', "line 2, column 1: the rule 'root' is defined a second time"),
        ('root = "a"', "line 1, column 6: expected \"::=\", got '='"),
        ('my_rule ::= "a"', "line 1, column 3: expected \"::=\", got '_'"),
        (
            'root ::= "a"\n  "b"',
            "line 2, column 3: expected the name of a rule, of letters, digits and dashes, got '\"'",
        ),
        ('root ::= "a\n', "line 2, column 1: expected a character, or '\"', got the end of the grammar"),
        ("root ::= [a", 'line 1, column 12: expected a character, or "]", got the end of the grammar'),
        ("root ::= []", "line 1, column 11: expected a character of the class, got ']'"),
        ("root ::= [z-a]", "line 1, column 11: the range 'z-a' ends before it begins"),
        ('root ::= ("a"', 'line 1, column 14: expected an item of the group, or ")", got the end of the grammar'),
        ('root ::= "a")', "line 1, column 13: expected an item of the rule, or the end of the line, got ')'"),
        ("root ::= *", "line 1, column 10: expected an item of the rule, or the end of the line, got '*'"),
        ('root ::= "a"{x}', "line 1, column 14: expected a number of repetitions, got 'x'"),
        ('root ::= "a"{2\n}', 'line 1, column 15: expected "," or "}", got the end of the line'),
        ('root ::= "a"{2,3', 'line 1, column 17: expected "}", got the end of the grammar'),
        ('root ::= "a"{2,1}', "line 1, column 14: the most, 1, is less than the least, 2"),
        (r'root ::= "\q"', r"line 1, column 12: expected one of n, t, r, \, "),
        (r'root ::= "\u12G4"', "line 1, column 15: expected 4 hexadecimal digits, got 'G'"),
        (r'root ::= "\U00110000"', r"line 1, column 11: there is no character \U00110000"),
        (r'root ::= "\uD800"', "line 1, column 11: a surrogate is not a character, no text has it"),
        ("root ::= <foo>", "line 1, column 10: no token of the model reads '<foo>'"),
        ("root ::= <foo", 'line 1, column 14: expected ">", got the end of the grammar'),
        ("root ::= <[x]>", "line 1, column 12: expected the id of a token, got 'x'"),
        ("root ::= <[999]>", "line 1, column 10: there is no token 999, the last one is 258"),
        ("root ::= <[256]>", "line 1, column 10: the token 256 ends a generation"),
        ('root ::= !"a"', 'line 1, column 11: expected "<", got \'"\''),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_what_was_expected(grammar: str, message: str) -> None:
    with pytest.raises(GrammarError) as caught:
        compile_grammar(grammar)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("grammar", "message"),
    [
        ('root ::= root "a" | "b"', "line 1, column 10: left recursion, root -> root:"),
        ('root ::= "x" a\na ::= b | "x"\nb ::= c? a "y"\nc ::= "c"', "line 3, column 10: left recursion, a -> b -> a:"),
        ('root ::= ("" | "a")* root', "line 1, column 22: left recursion, root -> root:"),
    ],
)
def test_left_recursion_is_refused(grammar: str, message: str) -> None:
    with pytest.raises(GrammarError) as caught:
        compile_grammar(grammar)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "grammar", ['root ::= "a" root', 'root ::= "a" x\nx ::= "b" y\ny ::= "c" x', r"root ::= [\uD800-\uDFFF]"]
)
def test_a_grammar_that_no_text_matches_is_refused(grammar: str) -> None:
    with pytest.raises(GrammarError, match="line 1, column 1: no text can ever match 'root'"):
        compile_grammar(grammar)


def test_an_alternative_that_never_ends_is_never_begun() -> None:
    matcher = compile_grammar('root ::= "a" | "b" x | "c" x?\nx ::= "x" x').matcher()
    assert [matcher.allows(ord(letter)) for letter in "abc"] == [True, False, True]
    matcher.accept(ord("c"))
    assert matcher.is_over


@pytest.mark.parametrize(
    ("grammar", "matching", "others"),
    [
        ('root ::= "[" ws "]"\nws ::= ([ \\t\\n] ws)?', ["[]", "[ \n ]"], ["[x]"]),
        ('root ::= digits "."\ndigits ::= [0-9] digits | [0-9]', ["1.", "123."], ["."]),
        ('root ::= "(" root ")" | "x" root | ""', ["", "xx", "x(x)", "(((x)))"], ["(", "x(x)x"]),
    ],
)
def test_a_rule_may_end_with_itself(grammar: str, matching: list[str], others: list[str]) -> None:
    assert [text for text in [*matching, *others] if matches(compile_grammar(grammar), text)] == matching


@pytest.mark.parametrize(
    ("grammar", "matching", "others"),
    [
        ('root ::= "a" "b" x | "abc" x\nx ::= "(" root ")" | ""', ["ab", "abc", "ab(abc)"], ["abd"]),
        ('root ::= [a]* "ab" x\nx ::= "(" root ")" | ""', ["ab", "aaab", "ab(aab)"], ["aa"]),
        ('root ::= word (" " word)*\nword ::= "in" | [a-z]+ | "(" root ")"', ["in", "into in", "(in a)"], ["in "]),
        ('root ::= text tag?\ntext ::= [^<]*\ntag ::= "<" root ">"', ["a<b>", "a<b<c>>"], ["a<b"]),
        ('root ::= (text | tag)*\ntext ::= [^<>]+\ntag ::= "<" root ">"', ["a<b>c<d<e>>"], ["a>"]),
    ],
)
def test_a_longer_match_does_not_hide_a_shorter_one(grammar: str, matching: list[str], others: list[str]) -> None:
    assert [text for text in [*matching, *others] if matches(compile_grammar(grammar), text)] == matching


def test_text_between_tags_stays_one_lexeme() -> None:
    """One character at a time, the parser would exceed its limits over a large vocabulary."""
    grammar = compile_grammar('root ::= (text | tag)*\ntext ::= [^<>]+\ntag ::= "<" root ">"')
    assert matches(grammar, "a" * 20_000)


@pytest.mark.parametrize(
    ("grammar", "message"),
    [
        (f"root ::= {'(' * (MAX_DEPTH + 1)}", "groups are nested more than 64 deep"),
        (f'root ::= "a"{"*" * 1000}', "the rule has too many repetitions of repetitions"),
        (f'root ::= "a"{{1,{MAX_REPETITION + 1}}}', "an item is repeated at most 10000 times, got 10001"),
        (f'root ::= "a"{{{"9" * 5000}}}', "a number has at most 9 digits"),
        ("\n".join(f'r{n} ::= "a"' for n in range(MAX_RULES + 1)), "a grammar has at most 4096 rules"),
        ("#" * 70_000, "a GBNF grammar has at most 65536 characters, got 70000"),
        ('root ::= "\ud800"', "character 11 of the grammar is half of a surrogate pair"),
    ],
)
def test_what_exceeds_a_limit_is_refused(grammar: str, message: str) -> None:
    with pytest.raises(GrammarError) as caught:
        compile_grammar(grammar)
    assert message in str(caught.value)


def test_the_deepest_groups_that_are_allowed_match() -> None:
    assert matches(compile_grammar(f'root ::= {"(" * MAX_DEPTH}"a"*{")*" * MAX_DEPTH}'), "aa")
    nested = "(" * MAX_DEPTH + '"a" | "b" root "c"' + ' | "d") "e"' * MAX_DEPTH
    assert matches(compile_grammar(f'root ::= "x" | "y" {nested}'), f"ybxc{'e' * MAX_DEPTH}")
    assert matches(compile_grammar(f'root ::= "x" | "y" {nested}'), f"yd{'e' * 3}")


def test_rules_that_double_again_and_again_end_in_time() -> None:
    rules = "\n".join(f"r{n} ::= r{n + 1} r{n + 1}" for n in range(60))
    with pytest.raises(GrammarError, match="takes more than 2 s to compile"):
        compile_grammar(f"root ::= r0\n{rules}\nr60 ::= [a-z]")


@pytest.mark.parametrize("body", ['{group}r{next} "x"{end}', '{group}r{next} "x"{end} | "(" root ")"'])
def test_a_long_chain_of_rules_ends_no_process(body: str) -> None:
    n_rules = 900
    rules = (f"r{n} ::= {body.format(group='(' * 16, end=')' * 16, next=n + 1)}" for n in range(n_rules))
    grammar = compile_grammar("root ::= r0\n" + "\n".join(rules) + f'\nr{n_rules} ::= "y"')
    assert matches(grammar, f"y{'x' * n_rules}")
