"""Requests whose answers are made to measure: repeating, remembering a name, and writing JSON."""

import json
from random import Random

from models.bundled_model.corpus.phrasing import filled, listed
from models.bundled_model.corpus.questions import Exchange

NAMES = listed("Tom Lily Ben Anna Max Mia Sam Sara Alice Bob Carol David Emma Frank Grace Henry Ivy Jack Kate Leo")
WORDS = listed("hello world sun tree river happy blue garden little friend cake music rain light open red fish moon "
               "start green yes no bird stone water good morning night paper door book apple star")  # fmt: skip
CITIES = listed("Paris London Rome Berlin Madrid Tokyo Oslo Vienna Cairo Lima")


def repetition(rng: Random) -> Exchange:
    """A request to say given words again."""
    words = " ".join(rng.choices(WORDS, k=rng.randint(1, 5)))
    question = filled(rng, ["Say $w.", "Repeat after me: $w", 'Say "$w".', "Please repeat: $w", "Echo: $w"], w=words)
    return Exchange(question, words, words)


def name_exchanges(rng: Random) -> list[Exchange]:
    """Two exchanges: somebody gives a name (or an age, or a place), and later asks for it."""
    thing = rng.choice(["name", "age", "city"])
    value = {"name": rng.choice(NAMES), "age": str(rng.randint(3, 60)), "city": rng.choice(CITIES)}[thing]
    told = {
        "name": ["My name is $v.", "I am $v.", "Hi, I am $v.", "Hello, my name is $v.", "You can call me $v."],
        "age": ["I am $v years old.", "My age is $v."],
        "city": ["I live in $v.", "I come from $v.", "My home is $v."],
    }[thing]
    met = {"name": ["Nice to meet you, $v!", "Hello, $v! How can I help you?"], "age": ["$v is a good age!"],
           "city": ["$v is a nice city."]}[thing]  # fmt: skip
    asked = {"name": ["What is my name?", "Who am I?", "Do you remember my name?", "What's my name?"],
             "age": ["How old am I?", "What is my age?"],
             "city": ["Where do I live?", "What city do I live in?"]}[thing]  # fmt: skip
    answered = {"name": ["Your name is $v.", "You are $v."], "age": ["You are $v years old."],
                "city": ["You live in $v."]}[thing]  # fmt: skip
    return [Exchange(filled(rng, told, v=value), filled(rng, met, v=value), value),
            Exchange(rng.choice(asked), filled(rng, answered, v=value), value)]  # fmt: skip


def _json_value(field: str, rng: Random) -> object:
    return {
        "name": rng.choice(NAMES), "age": rng.randint(1, 90), "city": rng.choice(CITIES), "happy": rng.random() < 0.5,
        "colour": rng.choice(["red", "blue", "green"]), "answer": rng.choice(["yes", "no"]), "id": rng.randint(1, 99),
        "tags": rng.sample(WORDS, rng.randint(0, 3)), "price": rng.randint(1, 999) / 10, "title": rng.choice(WORDS),
        "count": rng.randint(0, 20), "pet": rng.choice([None, "cat", "dog"]),
    }[field]  # fmt: skip


FIELDS = listed("name age city happy colour answer id tags price title count pet")


def json_object(rng: Random) -> Exchange:
    """A request for a JSON object with given fields."""
    fields = rng.sample(FIELDS, rng.randint(1, 4))
    question = filled(
        rng,
        ["Give me a JSON object with the fields $f.", "Write JSON with $f.", "Answer in JSON with the keys $f.",
         "Return a JSON object with $f.", "Make a JSON object: $f."],
        f=", ".join(fields),
    )  # fmt: skip
    value: object = {field: _json_value(field, rng) for field in fields}
    if rng.random() < 0.1:
        question, value = question.replace("a JSON object", "a list of JSON objects"), [value]
    return Exchange(question, json.dumps(value, indent=rng.choice([None, None, 2])), "{")
