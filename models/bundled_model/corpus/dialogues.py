"""Dialogues: exchanges of a user and an assistant, before they are formatted."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from models.bundled_model.corpus.code import from_recipe
from models.bundled_model.corpus.code_recipes import RECIPES
from models.bundled_model.corpus.howto import draw_task, numbered, steps, template_words
from models.bundled_model.corpus.phrasing import fill_template
from models.bundled_model.corpus.questions import ANY_FACT, Exchange, arithmetic
from models.bundled_model.corpus.small_talk import ANY_SMALL_TALK, json_object, name_exchanges, repetition, unknown

MAX_CHAT_STORY_CHARACTERS = 900
STORY_REQUESTS = ["Tell me a story.", "Tell me a short story.", "Can you tell me a story?", "Write a short story.",
                  "I want to hear a story.", "Please tell me a story.", "Write a story for children."]  # fmt: skip
HOWTO_REQUESTS = ["How do I $do?", "How can I $do?", "Tell me how to $do.", "What are the steps for $doing?",
                  "Give me $n steps to $do.", "I want to $do. What should I do?"]  # fmt: skip
CODE_REQUESTS = ["Write a Python function $f.", "Write a function $f in Python.",
                 "Show me a Python function called $f.", "Can you write the Python function $f?",
                 "Python code for $f, please."]  # fmt: skip


@dataclass(frozen=True)
class StoryTeller:
    stories: Sequence[str]

    @classmethod
    def from_stories(cls, stories: Sequence[str]) -> "StoryTeller":
        """With those of the stories that are short enough for a chat."""
        return cls([story for story in stories if len(story) <= MAX_CHAT_STORY_CHARACTERS])

    def exchange(self, rng: Random) -> Exchange:
        return Exchange(rng.choice(STORY_REQUESTS), rng.choice(self.stories), "")


def _howto(rng: Random) -> Exchange:
    task, count = draw_task(rng), rng.randint(3, 7)
    return Exchange(
        fill_template(rng, HOWTO_REQUESTS, **template_words(task, count)), numbered(steps(task, count, rng), rng), "1"
    )


def _code(rng: Random) -> Exchange:
    recipe = rng.choice(RECIPES)
    source = from_recipe(recipe, rng)
    name = source.partition("(")[0].removeprefix("def ")
    return Exchange(fill_template(rng, CODE_REQUESTS, f=name), f"```python\n{source}```", "def ")


def _fact(rng: Random) -> Exchange:
    return rng.choice(ANY_FACT)(rng)


def _small_talk(rng: Random) -> Exchange:
    return rng.choice(ANY_SMALL_TALK)(rng)


def _polite(exchange: Exchange, rng: Random) -> Exchange:
    if rng.random() > 0.12 or not exchange.question[:1].isupper():
        return exchange
    request = exchange.question
    lowered = request[:1].lower() + request[1:]
    question = rng.choice(
        [request.rstrip("?."), f"Please {lowered}", request.lower(), f"Hello! {request}", f"Hi. {request}"]
    )
    return Exchange(question, exchange.answer, exchange.key)


def trained_exchange(teller: StoryTeller, rng: Random) -> Exchange:
    """One exchange of any sort, but none that is held out."""
    while True:
        sort = rng.choices(["fact", "sum", "talk", "say", "json", "unknown", "howto", "code", "story"],
                           [50, 10, 16, 4, 3, 4, 4, 4, 2])[0]  # fmt: skip
        draw = {"fact": _fact, "sum": arithmetic, "talk": _small_talk, "say": repetition, "json": json_object,
                "unknown": unknown, "howto": _howto, "code": _code, "story": teller.exchange}[sort]  # fmt: skip
        exchange = draw(rng)
        if sort == "fact":
            exchange = _polite(exchange, rng)
        if sort not in ("fact", "sum") or not exchange.is_held_out:
            return exchange


def dialogue(teller: StoryTeller, rng: Random, turns: int) -> list[Exchange]:
    """At least `turns` exchanges; in some the user says a name first and asks for it later."""
    exchanges = [trained_exchange(teller, rng) for _ in range(turns)]
    if rng.random() < 0.12:
        statement, question = name_exchanges(rng)
        exchanges = [statement, *exchanges[1:], question]
    return exchanges
