"""Random small grammars, compared with a matcher that tries everything."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from grammar.compiler import GrammarCompiler
from grammar.errors import GrammarError
from grammar.matcher import Matcher
from grammar.source import GrammarSource
from grammar.vocabulary import GrammarVocabulary
from tests.grammar.byte_level import compile_grammar, feed

TEXTS = ["".join(text) for text in product("ab", repeat=6)]
"""With their prefixes these are all texts of up to six letters."""
WORDS = ["".join(word) for n in range(1, 4) for word in product("ab", repeat=n)]
WORDS_COMPILER = GrammarCompiler(GrammarVocabulary([*map(str.encode, WORDS), b""], [], [len(WORDS)]))


@dataclass(frozen=True)
class Node:
    """An expression as GBNF, and what BruteForce needs to match it."""

    gbnf: str
    kind: str
    parts: "tuple[Node, ...]" = ()
    value: str = ""
    min_count: int = 0
    max_count: int | None = None


class BruteForce:
    """All ways in which rules match the parts of a text, computed as a fixed point."""

    def __init__(self, rules: Mapping[str, Node], text: str) -> None:
        self._rules = rules
        self._text = text
        self._ends_of_rules: dict[tuple[str, int], frozenset[int]] = {}

    def matching(self) -> frozenset[int]:
        """The lengths of the matching prefixes of the text."""
        before = None
        while before != self._ends_of_rules:
            before = dict(self._ends_of_rules)
            for name, body in self._rules.items():
                for start in range(len(self._text) + 1):
                    self._ends_of_rules[name, start] = self._ends(body, start)
        return self._ends_of_rules["root", 0]

    def _ends(self, node: Node, start: int) -> frozenset[int]:
        if node.kind == "literal":
            return frozenset([start + len(node.value)] if self._text.startswith(node.value, start) else [])
        if node.kind == "class":
            return frozenset([start + 1] if self._text[start : start + 1] in [*node.value] else [])
        if node.kind == "rule":
            return self._ends_of_rules.get((node.value, start), frozenset())
        if node.kind == "alternatives":
            return frozenset().union(*(self._ends(part, start) for part in node.parts))
        if node.kind == "sequence":
            ends = frozenset([start])
            for part in node.parts:
                ends = frozenset().union(*(self._ends(part, end) for end in ends))
            return ends
        return self._repeated(node, start)

    def _repeated(self, node: Node, start: int) -> frozenset[int]:
        result, ends = frozenset[int](), frozenset([start])
        # More repetitions than this match only the empty text.
        for times in range(node.min_count + len(self._text) + 2):
            if times >= node.min_count and (node.max_count is None or times <= node.max_count):
                result |= ends
            ends = frozenset().union(*(self._ends(node.parts[0], end) for end in ends))
        return result


literals = st.text("ab", max_size=3).map(lambda text: Node(f'"{text}"', "literal", value=text))
classes = st.sampled_from(
    [
        Node("[ab]", "class", value="ab"),
        Node("[a]", "class", value="a"),
        Node("[^a]", "class", value="b"),
        Node(".", "class", value="ab"),
    ]
)
rule_references = st.sampled_from(["root", "x", "y"]).map(lambda name: Node(name, "rule", value=name))
bounds = st.sampled_from(
    [("*", 0, None), ("+", 1, None), ("?", 0, 1), ("{2}", 2, 2), ("{1,}", 1, None), ("{1,2}", 1, 2)]
)


def compounds(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(nodes, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        several.map(lambda parts: Node(f"({' '.join(p.gbnf for p in parts)})", "sequence", parts)),
        several.map(lambda parts: Node(f"({' | '.join(p.gbnf for p in parts)})", "alternatives", parts)),
        st.builds(lambda part, bound: Node(part.gbnf + bound[0], "repetition", (part,), "", *bound[1:]), nodes, bounds),
    )


bodies = st.recursive(st.one_of(literals, classes, rule_references), compounds, max_leaves=6)
grammars = st.fixed_dictionaries({"root": bodies, "x": bodies, "y": bodies})


@settings(max_examples=100, deadline=None)
@given(grammars)
def test_a_grammar_matches_what_trying_everything_matches(rules: Mapping[str, Node]) -> None:
    text = "\n".join(f"{name} ::= {body.gbnf}" for name, body in rules.items())
    try:
        grammar = compile_grammar(text)
    except GrammarError as error:
        assume("left recursion" not in str(error))
        assert "no text can ever match" in str(error), text
        assert not any(BruteForce(rules, t).matching() for t in TEXTS)
        return
    for t in TEXTS:
        assert matching(grammar.matcher(), t) == BruteForce(rules, t).matching(), (text, t)


@settings(max_examples=40, deadline=None)
@given(grammars, st.text("ab", max_size=4))
def test_a_token_of_several_characters_is_allowed_where_they_are_one_by_one(
    rules: Mapping[str, Node], beginning: str
) -> None:
    source = GrammarSource("gbnf", "\n".join(f"{name} ::= {body.gbnf}" for name, body in rules.items()))
    try:
        grammar, by_bytes = WORDS_COMPILER.compile(source), compile_grammar(source.text)
    except GrammarError:
        assume(False)
    matcher, other = grammar.matcher(), by_bytes.matcher()
    assume(feed(other, beginning))
    for letter in beginning:
        matcher.accept(WORDS.index(letter))
    for token, word in enumerate(WORDS):
        fresh = by_bytes.matcher()
        assert bool(matcher.mask()[0] >> token & 1) == feed(fresh, beginning + word), (source.text, word)


def matching(matcher: Matcher, text: str) -> frozenset[int]:
    """The lengths of the prefixes of a text that a grammar matches."""
    lengths = {0} if matcher.may_end else set()
    for n, letter in enumerate(text, 1):
        if not feed(matcher, letter):
            break
        if matcher.may_end:
            lengths.add(n)
    return frozenset(lengths)
