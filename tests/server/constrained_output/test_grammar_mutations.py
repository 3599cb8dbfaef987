"""Grammars with a few characters too many or too few are refused, or mean what they say."""

import re
from random import Random

from tests.server.http_client import STORY, get, get_error, post

GOOD = (
    'root ::= "yes" | "no"',
    'root ::= word ("-" word){1,2}\nword ::= [a-d]{1,3} "x"? # a word\n',
    'root ::= ("a" | [0-9] "b"){0,4} "."',
    'root ::= "\\"" [^"\\\\\\n]{1,5} "\\"" end\nend ::= [!?] | "\\u00fc" | "\\x41\\t"',
)
INSERTED = '"[](){}|*+?:=\\ \n^-#,ab1é'
N_MUTATED = 100

TOKEN = re.compile(
    r'\s+|#[^\n]*|(?P<literal>"(?:\\.|[^"\\])*")|\[(?P<class>\^?(?:\\.|[^\]\\])*)\]|(?P<rule>[A-Za-z0-9_-]+)\s*::='
    r"|(?P<name>[A-Za-z0-9_-]+)|(?P<other>[().|*+?]|\{[\s\d,]*\})",
    re.DOTALL,
)
CHARACTER = re.compile(r"\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL)
NAMED = {"n": "\n", "r": "\r", "t": "\t"}


def mutated(random: Random) -> str:
    text = random.choice(GOOD)
    for _ in range(random.randint(1, 3)):
        place = random.randrange(len(text))
        if random.random() < 0.5:
            text = text[:place] + text[place + random.randint(1, 3) :]
        else:
            text = text[:place] + random.choice(INSERTED) + text[place:]
    return text


def as_regex(grammar: str) -> str:
    """Returns an expression for a grammar without recursion, which has to be right."""
    rules: dict[str, list[re.Match[str]]] = {}
    place = 0
    while place < len(grammar):
        token = TOKEN.match(grammar, place)
        assert token, grammar[place:]
        place = token.end()
        if token["rule"]:
            rules[token["rule"]] = rule = []
        elif token.lastgroup:
            rule.append(token)
    return rule_as_regex("root", rules)


def rule_as_regex(name: str, rules: dict[str, list[re.Match[str]]]) -> str:
    parts = []
    for token in rules[name]:
        if token["literal"]:
            parts.append(f"(?:{''.join(map(escaped, CHARACTER.findall(token['literal'][1:-1])))})")
        elif token["name"]:
            parts.append(rule_as_regex(token["name"], rules))
        elif token["class"] is not None:
            parts.append(class_as_regex(token["class"]))
        else:
            parts.append("(?:" if token["other"] == "(" else re.sub(r"\s", "", token["other"]))
    return f"(?:{''.join(parts)})"


def class_as_regex(inner: str) -> str:
    characters = CHARACTER.findall(inner.removeprefix("^"))
    last = len(characters) - 1
    characters = [
        "-" if character == "-" and 0 < n < last else escaped(character) for n, character in enumerate(characters)
    ]
    return f"[{'^' if inner.startswith('^') else ''}{''.join(characters)}]"


def escaped(character: str) -> str:
    if character.startswith(("\\x", "\\u")) and len(character) > 2:
        return re.escape(chr(int(character[2:], 16)))
    return re.escape(NAMED.get(character[1:], character[1:]) if character.startswith("\\") else character)


def test_mutated_grammar_is_refused_or_means_what_it_says(server: str) -> None:
    random = Random(5)
    n_refused = 0
    for seed in range(N_MUTATED):
        grammar = mutated(random)
        body = {"prompt": STORY, "n_predict": 24, "temperature": 1.0, "seed": seed, "grammar": grammar}
        response = post(server, body)
        if response.status_code == 200:
            result = response.json()
            if grammar and result["stopped_eos"]:
                assert re.fullmatch(as_regex(grammar), result["content"], re.DOTALL), (grammar, result["content"])
        else:
            n_refused += 1
            error = get_error(response)
            assert error["code"] == 400
            assert error["message"].startswith("grammar: "), (grammar, error)
    assert N_MUTATED / 3 < n_refused < N_MUTATED
    assert get(f"{server}/health").ok
    assert not any(slot["is_processing"] for slot in get(f"{server}/slots").json())
