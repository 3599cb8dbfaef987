"""Exchanges: questions about a scene in the wording of the bundled corpus, with their answers."""

from collections.abc import Callable
from random import Random

from models.bundled_model.corpus.facts import NUMBER_WORDS
from models.bundled_model.corpus.phrasing import capitalized, fill_template, join_english, with_article
from models.bundled_model.corpus.questions import Exchange
from models.bundled_model.pictures.scenes import Scene, Shape

COLOUR_QUESTIONS = [
    "What colour is $x?", "What color is $x?", "What is the colour of $x?", "Tell me the colour of $x.",
    "What is the color of $x?", "Do you know what colour $x is?",
]  # fmt: skip
COLOUR_ANSWERS = ["$X is $value."]
SHAPE_QUESTIONS = [
    "What shape is it?", "Which shape is it?", "What shape is this?", "Tell me the shape.", "Which shape do you see?",
]  # fmt: skip
COUNT_QUESTIONS = [
    "How many shapes?", "How many shapes are there?", "Do you know how many shapes there are?",
    "Tell me the number of shapes.", "How many shapes are in the picture?", "How many shapes do you see?",
]  # fmt: skip
DESCRIPTION_QUESTIONS = [
    "What is in the picture?", "What do you see?", "Describe the picture.", "Tell me what you see.",
    "Describe the image.", "What is this?", "Describe the image in detail.",
]  # fmt: skip


def colour(scene: Scene, rng: Random) -> Exchange:
    """The colour of a shape whose kind occurs once, or of the only one."""
    kinds = [shape.kind for shape in scene.shapes]
    shape = rng.choice([s for s in scene.shapes if kinds.count(s.kind) == 1] or [scene.shapes[0]])
    subject = "the shape" if len(kinds) == 1 and rng.random() < 0.4 else f"the {shape.kind}"
    words = {"x": subject, "X": capitalized(f"the {shape.kind}"), "value": shape.colour}
    question = fill_template(rng, COLOUR_QUESTIONS, **words)
    return Exchange(question, fill_template(rng, COLOUR_ANSWERS, **words), shape.colour)


def shape(scene: Scene, rng: Random) -> Exchange:
    """Which shape the first one is."""
    kind = scene.shapes[0].kind
    return Exchange(rng.choice(SHAPE_QUESTIONS), f"It is {with_article(kind)}.", kind)


def count(scene: Scene, rng: Random) -> Exchange:
    """How many shapes there are."""
    word = NUMBER_WORDS[len(scene.shapes)]
    answer = "There is one shape." if len(scene.shapes) == 1 else f"There are {word} shapes."
    return Exchange(rng.choice(COUNT_QUESTIONS), answer, word)


def description(scene: Scene, rng: Random) -> Exchange:
    """All shapes with their colours, from left to right."""
    named = [with_article(f"{s.colour} {s.kind}") for s in sorted(scene.shapes, key=_left_edge)]
    return Exchange(rng.choice(DESCRIPTION_QUESTIONS), f"{capitalized(join_english(named))}.", named[0])


def _left_edge(shape: Shape) -> float:
    return shape.x


def ask(scene: Scene, rng: Random) -> Exchange:
    """Draws a question that has one right answer: which shape it is is asked of a shape alone."""
    draws: list[Callable[[Scene, Random], Exchange]] = [colour, count, description, shape]
    weights = [4, 3, 1, 3 if len(scene.shapes) == 1 else 0]
    return rng.choices(draws, weights)[0](scene, rng)
