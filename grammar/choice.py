"""Choice: one of a list of strings."""

import json

from grammar.errors import GrammarError
from grammar.lark import lark_text


def choice_to_rules(text: str) -> str:
    """Returns rules in Lark's syntax that match each string of a JSON list.

    Raises GrammarError if the text is not a list of strings, if the list is empty, and for a string that is empty, that
    occurs twice, or that has half of a surrogate pair.
    """
    try:
        options = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise GrammarError(f"the choice is not JSON: {error}") from None
    if not isinstance(options, list) or not options:
        raise GrammarError("a choice is a list of at least one string")
    seen: set[str] = set()
    for n, option in enumerate(options):
        if not isinstance(option, str) or not option:
            raise GrammarError(f"a choice is a list of strings that are not empty, number {n + 1} is {option!r}")
        if option in seen:
            raise GrammarError(f"the choice has {option!r} twice")
        if any("\ud800" <= character <= "\udfff" for character in option):
            raise GrammarError(f"number {n + 1} of the choice has half of a surrogate pair")
        seen.add(option)
    return f"start: CHOICE\nCHOICE: {' | '.join(map(lark_text, options))}"
