"""GrammarError: what is wrong with a grammar."""


class GrammarError(Exception):
    """A grammar that cannot be used, or a token that does not match one.

    The message is one sentence for the person who wrote the grammar.
    """
