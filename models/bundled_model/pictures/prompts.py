"""Prompts: the ways in which a picture and a question about it stand in a prompt."""

from random import Random

from models.bundled_model.corpus.chat import SYSTEM_PROMPTS, message
from models.bundled_model.corpus.questions import Exchange
from models.bundled_model.tokenizer import IM_END, IM_START

PICTURE = "\x1d"
"""Stands for the embeddings of the picture."""
NEXT_LINE = "\n"
SYSTEM_SHARE = 0.2
CHAT_SHARE = 0.8


def chat(exchanges: list[Exchange], rng: Random) -> list[tuple[str, bool]]:
    """Returns a dialogue in ChatML as texts, each with whether it is an answer. PICTURE is in the first question."""
    between = rng.choice(["", "\n"])
    first = exchanges[0].question
    opening = f"{PICTURE}{between}{first}" if rng.random() < 0.6 else f"{first}{between}{PICTURE}"
    head = message("system", rng.choice(SYSTEM_PROMPTS)) if rng.random() < SYSTEM_SHARE else ""
    parts: list[tuple[str, bool]] = []
    for i, exchange in enumerate(exchanges):
        asked = message("user", opening if i == 0 else exchange.question)
        parts.append((f"{head if i == 0 else NEXT_LINE}{asked}{IM_START}assistant\n", False))
        parts.append((exchange.answer + IM_END, True))
    return parts


def transcript(exchanges: list[Exchange], rng: Random) -> list[tuple[str, bool]]:
    """Returns a plain dialogue, with the picture where llama.cpp's documentation of `image_data` has it."""
    asking, answering = rng.choice([("User:", "Assistant:"), ("USER:", "ASSISTANT:")])
    between, behind = rng.choice(["", " "]), rng.choice(["", " "])
    parts: list[tuple[str, bool]] = []
    for i, exchange in enumerate(exchanges):
        asked = f"{between}{PICTURE}{behind}{exchange.question}" if i == 0 else f" {exchange.question}"
        parts.append((f"{asking}{asked}\n{answering}", False))
        parts.append((f" {exchange.answer}\n", True))
    return parts


def dialogue(exchanges: list[Exchange], rng: Random) -> list[tuple[str, bool]]:
    """Returns a dialogue about one picture as texts, each with whether it is an answer. PICTURE is in the first."""
    return chat(exchanges, rng) if rng.random() < CHAT_SHARE else transcript(exchanges, rng)
