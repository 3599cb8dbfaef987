"""Translates GBNF to Lark: runs the passes that grammar/gbnf/__init__.py shows."""

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
    """Returns rules in Lark's syntax that match the same texts.

    Raises GrammarError for what `check` finds, for a grammar that no text matches, for tokens that the vocabulary does
    not have or that cannot be told apart from text, and for a grammar that takes too long to translate.
    """
    deadline = Deadline()
    check(grammar, deadline)
    tokens = NamedTokens(grammar, vocabulary)
    grammar = eliminate_right_recursion(prune_dead_ends(grammar, deadline))
    splitter = LexemeSplitter(grammar.rules, tokens.to_lexeme, deadline)
    splitter.add_rule(ROOT)
    facts = LexemeFacts(grammar.rules, rules_satisfying(is_nullable, grammar.rules, deadline), deadline)
    conflicts = LexerConflicts(facts, deadline)
    follow_sets = FollowSets(splitter.productions, ROOT, facts, deadline)
    while conflicting := conflicts.find(follow_sets):
        for lexeme in conflicting:
            splitter.split(lexeme)
        follow_sets = FollowSets(splitter.productions, ROOT, facts, deadline)
    if tokens:
        tokens.check_distinguishable(follow_sets, conflicts.rivals(follow_sets), facts)
    return LarkWriter(grammar.rules, tokens).write(splitter.productions)
