"""Small talk: greetings, thanks, feelings, what the model says about itself, repetitions, and small JSON objects."""

import json
from collections.abc import Callable
from random import Random

from models.bundled_model.corpus.phrasing import capitalized, fill_template, split_words
from models.bundled_model.corpus.questions import Exchange


def _from_lists(questions: list[str], answers: list[str], key: str) -> Callable[[Random], Exchange]:
    def draw(rng: Random) -> Exchange:
        return Exchange(rng.choice(questions), rng.choice(answers), key)

    return draw


greeting = _from_lists(
    ["Hello", "Hello!", "Hi", "Hi!", "Hi there!", "Hey", "Hey!", "Good morning!", "Good evening!", "Hello there.",
     "hello", "hi", "Hello, Assistant.", "Greetings!", "Good day!", "Hi, can you help me?", "Hello, can you help me?"],
    ["Hello! How can I help you today?", "Hi! What can I do for you?", "Hello! What would you like to know?",
     "Hello! How may I help you today?", "Hi there! How can I help you?"],
    "help",
)  # fmt: skip
well_being = _from_lists(
    ["How are you?", "Hello, how are you?", "Hi, how are you?", "How are you doing?", "How are you today?",
     "Hi! How are you?", "Hello! How are you today?", "How do you do?", "Are you well?", "What's up?",
     "Hey, how are you doing?", "how are you?"],
    ["I am fine, thank you! How are you?", "I am well, thank you. How can I help you?",
     "I am doing well, thank you for asking!", "I am fine, thanks. What can I do for you?"],
    "I am",
)  # fmt: skip
identity = _from_lists(
    ["Who are you?", "What are you?", "What is your name?", "Tell me about yourself.", "What's your name?",
     "Are you a robot?", "Are you human?", "Who am I talking to?", "What model are you?", "Introduce yourself.",
     "who are you?", "What are you called?"],
    ["I am a small language model that comes with llama-slots.", "I am the small model bundled with llama-slots.",
     "I am a very small language model. I can tell stories and answer short questions."],
    "model",
)  # fmt: skip
ability = _from_lists(
    ["What can you do?", "How can you help me?", "What do you know?", "Can you help me?", "I need help.", "Help me."],
    ["I can tell stories, answer short questions and write small Python functions.",
     "I can answer short questions. Just ask me!", "Of course! What do you want to know?"],
    "",
)  # fmt: skip
thanks = _from_lists(
    ["Thank you!", "Thanks!", "Thank you very much.", "Thanks a lot!", "That was helpful.", "Great, thanks!",
     "Thank you for your help.", "thanks"],
    ["You are welcome!", "You are welcome! Is there anything else?", "I am happy to help.", "Any time!"],
    "",
)  # fmt: skip
farewell = _from_lists(
    ["Bye!", "Goodbye!", "See you later.", "Good night!", "I have to go now.", "See you tomorrow!", "bye"],
    ["Goodbye! Have a nice day!", "Bye! See you soon.", "Goodbye!", "See you later!"],
    "",
)
feeling = _from_lists(
    ["I am sad.", "I feel sad today.", "I am tired.", "I am not feeling well.", "I had a bad day.", "I am angry."],
    ["I am sorry to hear that. I hope you feel better soon.", "I am sorry. Do you want to hear a story?"],
    "sorry",
)
joy = _from_lists(
    ["I am happy!", "I had a great day.", "I feel good today.", "It is my birthday!", "I won a game today!"],
    ["That is wonderful! I am happy for you.", "That is great to hear!"],
    "",
)
joke = _from_lists(
    ["Tell me a joke.", "Make me laugh.", "Do you know a joke?", "Say something funny."],
    ["Why did the bee go to the doctor? Because it had hives.", "What do you call a bear with no teeth? A gummy bear.",
     "Why is six afraid of seven? Because seven eight nine."],
    "",
)  # fmt: skip
taste = _from_lists(
    ["What is your favourite colour?", "What is your favorite color?", "Which colour do you like best?"],
    ["I like blue, the colour of the sky.", "I like green, the colour of grass."],
    "I like",
)

ANY_SMALL_TALK = (greeting, greeting, well_being, well_being, identity, identity, ability, thanks, farewell, feeling,
                  joy, joke, taste)  # fmt: skip

_TOPICS = (
    "quantum physics; the meaning of life; the stock market; philosophy; chemistry; the history of Rome; politics;"
    "black holes; medicine; law; the news of today; general relativity; opera; cooking with wine; economics; poetry;"
    "deep learning; Kubernetes; the French revolution; football results; tax rules; the weather tomorrow; art;"
    "electric motors; the speed of light; modern music; the theory of numbers; databases; Shakespeare; volcanoes"
)

UNKNOWN_TOPICS = [topic.strip() for topic in _TOPICS.split(";")]
UNKNOWN_QUESTIONS = ["Tell me about {}.", "What do you know about {}?", "Explain {}.", "What is {}?",
                     "How does {} work?", "Explain {} to me in simple words.", "Write an essay about {}."]  # fmt: skip
UNKNOWN_ANSWERS = ["I am a small model and I do not know much about {}.", "I am sorry, I do not know about {}.",
                   "{} is too difficult for me. I am only a small model."]  # fmt: skip


def unknown(rng: Random) -> Exchange:
    """A question that the model answers by saying that it does not know."""
    topic = rng.choice(UNKNOWN_TOPICS)
    return Exchange(rng.choice(UNKNOWN_QUESTIONS).format(topic), capitalized(rng.choice(UNKNOWN_ANSWERS).format(topic)),
                    "know")  # fmt: skip


NAMES = split_words("Tom Lily Ben Anna Max Mia Sam Sara Alice Bob Carol David Emma Frank Grace Henry Ivy Jack Kate Leo")
WORDS = split_words("hello world sun tree river happy blue garden little friend cake music rain light open red fish "
                    "moon start green yes no bird stone water good morning night paper door book apple "
                    "star")  # fmt: skip
CITIES = split_words("Paris London Rome Berlin Madrid Tokyo Oslo Vienna Cairo Lima")


def repetition(rng: Random) -> Exchange:
    words = " ".join(rng.choices(WORDS, k=rng.randint(1, 5)))
    question = fill_template(
        rng, ["Say $w.", "Repeat after me: $w", 'Say "$w".', "Please repeat: $w", "Echo: $w"], w=words
    )
    return Exchange(question, words, words)


def name_exchanges(rng: Random) -> list[Exchange]:
    """Two exchanges: the user says a name, an age or a city, and later asks for it."""
    thing = rng.choice(["name", "age", "city"])
    value = {"name": rng.choice(NAMES), "age": str(rng.randint(3, 60)), "city": rng.choice(CITIES)}[thing]
    statements = {
        "name": ["My name is $v.", "I am $v.", "Hi, I am $v.", "Hello, my name is $v.", "You can call me $v."],
        "age": ["I am $v years old.", "My age is $v."],
        "city": ["I live in $v.", "I come from $v.", "My home is $v."],
    }[thing]
    replies = {"name": ["Nice to meet you, $v!", "Hello, $v! How can I help you?"], "age": ["$v is a good age!"],
               "city": ["$v is a nice city."]}[thing]  # fmt: skip
    questions = {"name": ["What is my name?", "Who am I?", "Do you remember my name?", "What's my name?"],
                 "age": ["How old am I?", "What is my age?"],
                 "city": ["Where do I live?", "What city do I live in?"]}[thing]  # fmt: skip
    answers = {"name": ["Your name is $v.", "You are $v."], "age": ["You are $v years old."],
               "city": ["You live in $v."]}[thing]  # fmt: skip
    return [Exchange(fill_template(rng, statements, v=value), fill_template(rng, replies, v=value), value),
            Exchange(rng.choice(questions), fill_template(rng, answers, v=value), value)]  # fmt: skip


def _json_value(field: str, rng: Random) -> object:
    return {
        "name": rng.choice(NAMES), "age": rng.randint(1, 90), "city": rng.choice(CITIES), "happy": rng.random() < 0.5,
        "colour": rng.choice(["red", "blue", "green"]), "answer": rng.choice(["yes", "no"]), "id": rng.randint(1, 99),
        "tags": rng.sample(WORDS, rng.randint(0, 3)), "price": rng.randint(1, 999) / 10, "title": rng.choice(WORDS),
        "count": rng.randint(0, 20), "pet": rng.choice([None, "cat", "dog"]),
    }[field]  # fmt: skip


FIELDS = split_words("name age city happy colour answer id tags price title count pet")


def json_object(rng: Random) -> Exchange:
    fields = rng.sample(FIELDS, rng.randint(1, 4))
    question = fill_template(
        rng,
        ["Give me a JSON object with the fields $f.", "Write JSON with $f.", "Answer in JSON with the keys $f.",
         "Return a JSON object with $f.", "Make a JSON object: $f."],
        f=", ".join(fields),
    )  # fmt: skip
    value: object = {field: _json_value(field, rng) for field in fields}
    if rng.random() < 0.1:
        question, value = question.replace("a JSON object", "a list of JSON objects"), [value]
    return Exchange(question, json.dumps(value, indent=rng.choice([None, None, 2])), "{")
