"""From GBNF to llguidance's form of a grammar."""

from grammar.gbnf.automaton import LexemeFacts
from grammar.gbnf.checks import ROOT, check, is_nullable, prune_dead_ends, rules_satisfying
from grammar.gbnf.follow_sets import FollowSets
from grammar.gbnf.lark_writer import LarkWriter
from grammar.gbnf.lexemes import LexemeSplitter
from grammar.gbnf.lexer_conflicts import LexerConflicts
from grammar.gbnf.right_recursion import eliminate_right_recursion
from grammar.gbnf.syntax_tree import Grammar
from grammar.gbnf.token_lexemes import NamedTokens
from grammar.limits import Deadline
from grammar.vocabulary import GrammarVocabulary


def translate(grammar: Grammar, vocabulary: GrammarVocabulary) -> str:
    """The rules of a grammar in Lark's syntax, matching the same texts.

    Raises GrammarError for what `check` finds, for a grammar that no text matches, for tokens that the vocabulary does
    not have or that cannot be told apart from text, and for a grammar that takes too long to translate.
    """
    deadline = Deadline()
    check(grammar, deadline)
    tokens = NamedTokens(grammar, vocabulary)
    grammar = eliminate_right_recursion(prune_dead_ends(grammar, deadline))
    cutter = LexemeSplitter(grammar.rules, tokens.to_lexeme, deadline)
    cutter.add_rule(ROOT)
    regular = LexemeFacts(grammar.rules, rules_satisfying(is_nullable, grammar.rules, deadline), deadline)
    clashes = LexerConflicts(regular, deadline)
    order = FollowSets(cutter.productions, ROOT, regular, deadline)
    while to_cut := clashes.find(order):
        for lexeme in to_cut:
            cutter.split(lexeme)
        order = FollowSets(cutter.productions, ROOT, regular, deadline)
    if tokens:
        tokens.check_distinguishable(order, clashes.rivals(order), regular)
    return LarkWriter(grammar.rules, tokens).write(cutter.productions)
