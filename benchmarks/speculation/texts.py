"""Texts as people give them to a model: to summarize, to edit, to transform, to answer from, and to be continued."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ARTICLE = """\
The town of Millbrook opened its new public library on Saturday, four years after a flood destroyed the old building on
Harbor Street. More than six hundred people came to the opening, among them many children who had collected money for
new books. The library has two floors, a reading garden and a workshop with tools that anyone may borrow for two weeks.
The mayor, Helen Ortiz, said that the building had cost 4.2 million dollars, of which the state had paid one half and
the town and its people the other. "Every brick in this wall has a name on it," she said, and pointed to the long list
of families at the entrance. The architect, Samuel Reed, had raised the ground floor by two meters, so that the next
flood will pass below it. The garden is planted with trees that stand well in wet soil, and rain from the roof is kept
in a tank for dry summers. The library will be open every day except Monday, and on Thursday evenings until ten. In the
first week, readers may borrow as many books as they can carry."""

CODE = '''\
class Account:
    """A bank account with a balance in cents."""

    def __init__(self, owner, balance=0):
        self.owner = owner
        self.balance = balance
        self.history = []

    def deposit(self, amount):
        if amount <= 0:
            raise ValueError("amount must be positive")
        self.balance += amount
        self.history.append(("deposit", amount))
        return self.balance

    def withdraw(self, amount):
        if amount <= 0:
            raise ValueError("amount must be positive")
        if amount > self.balance:
            raise ValueError("insufficient funds")
        self.balance -= amount
        self.history.append(("withdraw", amount))
        return self.balance

    def transfer(self, other, amount):
        self.withdraw(amount)
        other.deposit(amount)
        return self.balance
'''

ORDERS = """\
{"orders": [
  {"id": 1041, "customer": {"name": "Alice Novak", "city": "Prague"}, "item": "desk lamp", "quantity": 2, "paid": 1},
  {"id": 1042, "customer": {"name": "Ben Carter", "city": "Leeds"}, "item": "office chair", "quantity": 1, "paid": 0},
  {"id": 1043, "customer": {"name": "Chiara Russo", "city": "Turin"}, "item": "bookshelf", "quantity": 3, "paid": 1},
  {"id": 1044, "customer": {"name": "David Okafor", "city": "Lagos"}, "item": "desk lamp", "quantity": 5, "paid": 0}
]}"""


@dataclass(frozen=True)
class Workload:
    """A request, and where the answer begins if a model without a chat template is to give it."""

    request: str
    beginning: str
    options: Mapping[str, object] = field(default_factory=dict)
    """Of POST /completion; those that are missing have the server's defaults."""

    def plain_prompt(self) -> str:
        """Returns the prompt for a model that only continues texts."""
        return f"{self.request}\n\n{self.beginning}"


_EXACT: Mapping[str, object] = {"temperature": 0, "repeat_penalty": 1.0}
"""As for code and data, where each token has one right value."""

WORKLOADS = {
    "summary": Workload(
        f"Summarize this article in a few sentences. Quote what the mayor said.\n\n{ARTICLE}",
        "Summary of the article:\n",
    ),
    "answers": Workload(
        f"Answer from this article, with its own words: What does the library have, what did it cost, and when is it "
        f"open?\n\n{ARTICLE}",
        "Answer:\n",
        {"temperature": 0.3},
    ),
    "code edit": Workload(
        f"Rename the field `balance` to `cents` and write the whole class again, changed in nothing else.\n\n"
        f"```python\n{CODE}```",
        "The class with the new name:\n\n```python\nclass Account:",
        _EXACT,
    ),
    "JSON": Workload(
        f"Write this JSON again with the field `city` moved out of `customer`, and nothing else changed.\n\n{ORDERS}",
        'The new JSON:\n\n{"orders": [\n  {"id": 1041,',
        _EXACT,
    ),
    "letter": Workload(
        "Write a letter to a friend about a walk along the coast in autumn.",
        "Dear Anna,\n\nlast week I went",
        {"temperature": 1.0, "top_p": 0.95},
    ),
    "ideas": Workload("Describe three unusual ideas for a small garden, each in its own words.", "The first idea is"),
}


@dataclass(frozen=True)
class MadeUp:
    """A prompt with biases that no one asks for, which show how fast or slow drafts can be."""

    prompt: str
    temperature: float
    n_tokens: int
    """How many different tokens are possible."""

    def options(self, tokens: Sequence[int]) -> Mapping[str, object]:
        """Returns the options of the request; `tokens` are those of the prompt."""
        possible = sorted(set(tokens))[: self.n_tokens]
        biases = [[token, 1000] for token in possible]
        return {"temperature": self.temperature, "logit_bias": biases, "top_k": 0, "top_p": 1, "min_p": 0}


ALL_WORKLOADS: Mapping[str, Workload | MadeUp] = {
    **WORKLOADS,
    "one token": MadeUp(ARTICLE, 0.0, 1),
    "dice": MadeUp(ARTICLE, 10.0, 60),
}
