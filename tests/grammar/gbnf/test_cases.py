"""Grammars for the same languages as those that llama.cpp comes with, written independently."""

import random
import re
from pathlib import Path

import pytest

from grammar.errors import GrammarError
from tests.grammar.byte_level import compile_grammar, matches

CASES = Path(__file__).parent / "cases"

MATCHING = {
    "arithmetic": ["a=b\n", "x1 +2*( y -3) = 7\n", "1=1\nfoo_2 /3 =\n 4\n\n", "((1))=1\n"],
    "c": [
        "",
        "int main(){}",
        "int add(int a){return a+1;}",
        "float f(char c){int x = f(x, -1)*(  y )+g();while(x<=3){x = x-1;}}",
        "int f(){for(int i = 0; i<9; i = i+1){}if(a==b){}else{// no\n/* a*b */}}",
        "int f(){intx = 3;}",
    ],
    "chess": ["1. e4 e5\n2. Nf3 Nc6\n", "1. exd5 O-O-O+\n10. a8=Q# Rad1\n11. O-O Qh4xe1\n"],
    "english": ["Hello, world!", "It's 5 o'clock;\n[\\^_`{|}~] @ (tea)"],
    "japanese": ["こんにちは、世界", "カタカナ\n漢字 かな"],
    "json": [
        "{}",
        '{"a": [1, -2.5e+10, true, null, {"b": "\\u00e9 \\"é\\""}]} ',
        '{\n  "k":1}',
    ],
    "json_arr": ["[\n]", '[\n1,\n"a",\n[2, {}]]', '[\n {"a": 0.5}\n]'],
    "list": ["- one\n", "- one\n- two, and - three\n- 漢字\n"],
}
OTHERS = {
    "arithmetic": ["", "a=b", "a==b\n", "a b=c\n", "A=1\n", "(a=1\n", "a=b+c\n"],
    "c": ["int main()", "main(){}", "int f(){return a+;}", "int f(){returna;}", "int f(){x=1;}", "int f(){/* */ */}"],
    "chess": [
        "1. e4 e5\n",
        "2. e4 e5\n2. d4 d5\n",
        "1. e9 e5\n2. d4 d5\n",
        "1. e4 e5\n01. d4 d5\n",
        "1. e4 e5\n2. d4\n",
    ],
    "english": ["", " a", "a  b", "a ", "é"],
    "japanese": ["", "a", "漢字  漢字", "漢字 "],
    "json": ["", "[]", "{", '{"a"}', '{"a":01}', '{"a":"\n"}', '{"a":1,}', '{"a":   1}', '{"a":"\\x"}', '{"a":.5}'],
    "json_arr": ["[]", "[\n1, 2]", "[\n1]\n", "[\n1,\n]"],
    "list": ["", "-one\n", "- \n", "- one", "- a\rb\n", "- a\u2028b\n"],
}


def read_case(case: str) -> str:
    return (CASES / f"{case}.gbnf").read_text()


@pytest.mark.parametrize(("case", "text"), [(case, text) for case in MATCHING for text in MATCHING[case]])
def test_a_text_of_the_language_matches(case: str, text: str) -> None:
    assert matches(compile_grammar(read_case(case)), text)


@pytest.mark.parametrize(("case", "text"), [(case, text) for case in OTHERS for text in OTHERS[case]])
def test_any_other_text_does_not_match(case: str, text: str) -> None:
    assert not matches(compile_grammar(read_case(case)), text)


def test_every_case_has_its_texts() -> None:
    assert {path.stem for path in CASES.glob("*.gbnf")} == MATCHING.keys() == OTHERS.keys()


@pytest.mark.parametrize("case", MATCHING)
def test_a_case_with_a_mistake_compiles_or_says_what_is_wrong(case: str) -> None:
    rnd = random.Random(case)
    for _ in range(15):
        text = read_case(case)
        at, end = sorted(rnd.choices(range(len(text)), k=2))
        inserted = "".join(rnd.choices('"|()[]{}*+?\\^-<>!#.:= \nax1é', k=rnd.randrange(3)))
        try:
            compile_grammar(text[:at] + inserted + text[min(end, at + 3) :])
        except GrammarError as error:
            assert re.match(r"line \d+, column \d+: |the grammar has no rule 'root'", str(error))
