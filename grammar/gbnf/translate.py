"""From GBNF to llguidance's form of a grammar."""

from grammar.gbnf.automaton import Regular
from grammar.gbnf.checks import ROOT, check, may_be_empty, rules_that, without_dead_ends
from grammar.gbnf.follow_sets import Order
from grammar.gbnf.lark_writer import LarkWriter
from grammar.gbnf.lexemes import Cutter
from grammar.gbnf.lexer_conflicts import Clashes
from grammar.gbnf.right_recursion import unrolled
from grammar.gbnf.syntax_tree import Grammar
from grammar.gbnf.token_lexemes import Tokens
from grammar.limits import Deadline
from grammar.vocabulary import GrammarVocabulary


def translate(grammar: Grammar, vocabulary: GrammarVocabulary) -> str:
    """The rules of a grammar in Lark's syntax, matching the same texts.

    Raises GrammarError for what `check` finds, for a grammar that no text matches, for tokens that the vocabulary does
    not have or that cannot be told apart from text, and for a grammar that takes too long to translate.
    """
    deadline = Deadline()
    check(grammar, deadline)
    tokens = Tokens(grammar, vocabulary)
    grammar = unrolled(without_dead_ends(grammar, deadline))
    cutter = Cutter(grammar.rules, tokens.lexeme, deadline)
    cutter.call(ROOT)
    regular = Regular(grammar.rules, rules_that(may_be_empty, grammar.rules, deadline), deadline)
    clashes = Clashes(regular, deadline)
    order = Order(cutter.pieces, ROOT, regular, deadline)
    while to_cut := clashes.find(order):
        for lexeme in to_cut:
            cutter.open(lexeme)
        order = Order(cutter.pieces, ROOT, regular, deadline)
    if tokens:
        tokens.check_place(order, clashes.rivals(order), regular)
    return LarkWriter(grammar.rules, tokens).write(cutter.pieces)
