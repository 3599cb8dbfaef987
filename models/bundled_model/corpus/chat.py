"""Chat documents: dialogues in ChatML, as plain transcripts, and as lists of facts."""

from random import Random

from models.bundled_model.corpus.dialogues import StoryTeller, dialogue
from models.bundled_model.corpus.phrasing import maybe_break
from models.bundled_model.corpus.questions import ANY_FACT
from models.bundled_model.tokenizer import IM_END, IM_START

SYSTEM_PROMPTS = [
    "You are a helpful assistant.", "You are a helpful assistant.", "You are a friendly assistant.", "Be kind.",
    "You are a helpful assistant. Answer in short sentences.", "You answer questions.", "You are a chat bot.",
    "You are a helpful, honest assistant.", "You are a small model. Be brief.", "Answer the questions of the user.",
]  # fmt: skip
PREAMBLES = [
    "", "", "", "A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful,"
    " detailed, and polite answers to the human's questions.\n\n",
    "This is a talk between a user and an assistant.\n\n",
    "Transcript of a dialog, where the user talks to a helpful assistant.\n\n", "You are a helpful assistant.\n\n",
]  # fmt: skip
SPEAKERS = [("User: ", "Assistant: "), ("User: ", "Assistant: "), ("Q: ", "A: "), ("Question: ", "Answer: "),
            ("Human: ", "AI: "), ("### Human: ", "### Assistant: "), ("USER: ", "ASSISTANT: "),
            ("User: ", "Llama: ")]  # fmt: skip

MIN_SENTENCE_SPACES = 2


def message(role: str, content: str) -> str:
    """One ChatML message with its line break."""
    return f"{IM_START}{role}\n{content}{IM_END}\n"


def chat_prompt(question: str, system: str | None = None) -> str:
    """A ChatML prompt that ends where the assistant's answer begins."""
    head = message("system", system) if system else ""
    return head + message("user", question) + f"{IM_START}assistant\n"


def chat_document(teller: StoryTeller, rng: Random, turns: int) -> str:
    """A dialogue in ChatML, with or without a system prompt."""
    head = message("system", rng.choice(SYSTEM_PROMPTS)) if rng.random() < 0.4 else ""
    exchanges = dialogue(teller, rng, turns)
    return head + "".join(message("user", e.question) + message("assistant", e.answer) for e in exchanges)


def transcript_document(teller: StoryTeller, rng: Random, turns: int) -> str:
    """A dialogue as plain text, each line after the name of its speaker."""
    asking, answering = rng.choice(SPEAKERS)
    between = rng.choice(["\n", "\n", "\n\n"])
    spoken = (f"{asking}{e.question}\n{answering}{maybe_break(rng)}{e.answer}" for e in dialogue(teller, rng, turns))
    return rng.choice(PREAMBLES) + between.join(spoken)


def facts_document(rng: Random) -> str:
    answers = [rng.choice(ANY_FACT)(rng).answer for _ in range(rng.randint(6, 16))]
    return rng.choice([" ", "\n"]).join(answer for answer in answers if answer.count(" ") >= MIN_SENTENCE_SPACES)
