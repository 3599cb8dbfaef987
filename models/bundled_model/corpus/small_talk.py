"""Greetings, thanks, feelings, and what the model says of itself."""

from collections.abc import Callable
from random import Random

from models.bundled_model.corpus.phrasing import capitalized
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
UNKNOWN_ASKED = ["Tell me about {}.", "What do you know about {}?", "Explain {}.", "What is {}?", "How does {} work?",
                 "Explain {} to me in simple words.", "Write an essay about {}."]  # fmt: skip
UNKNOWN_ANSWERED = ["I am a small model and I do not know much about {}.", "I am sorry, I do not know about {}.",
                    "{} is too difficult for me. I am only a small model."]  # fmt: skip


def unknown(rng: Random) -> Exchange:
    """A question that the model cannot answer, and says so."""
    topic = rng.choice(UNKNOWN_TOPICS)
    return Exchange(rng.choice(UNKNOWN_ASKED).format(topic), capitalized(rng.choice(UNKNOWN_ANSWERED).format(topic)),
                    "know")  # fmt: skip
