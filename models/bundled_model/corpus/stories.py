"""Stories: the sample, split into stories, cleaned, partly held out, with the names of children exchanged."""

import re
from pathlib import Path
from random import Random
from zlib import crc32

from models.bundled_model.corpus.phrasing import split_words

MIN_STORY_CHARACTERS = 300
HELD_OUT_SHARE = 40

GIRLS = split_words(
    "Lily Mia Anna Sara Lucy Molly Sarah Sue Jane Daisy Jill Lila Sally Jen Amy Mary Emma Jenny Grace Ella"
)
BOYS = split_words("Ben Tom Timmy Jack Sam Tim Max Bob John Joe Tommy Benny Jimmy Billy Andy Frank James Gary Jake Leo")
NAME = re.compile(rf"\b({'|'.join(GIRLS + BOYS)})\b")

MISREAD_UTF8 = {"â€œ": '"', "â€™": "'", "â€”": ", ", "â€“": ", ", "â€˜": "'", "â€¦": "...", "â€": '"'}
CURLED = str.maketrans({"“": '"', "”": '"', "’": "'", "‘": "'"})


def clean_quotes(text: str) -> str:
    """Replaces misdecoded and curly quotes by plain ones, and removes spaces at line ends."""
    for misread, plain in MISREAD_UTF8.items():
        text = text.replace(misread, plain)
    return re.sub(r" +\n", "\n", text.translate(CURLED))


def begins_story(block: str) -> bool:
    return block.startswith("Once") or (len(block) >= MIN_STORY_CHARACTERS and not block.startswith('"'))


def split_stories(text: str) -> list[str]:
    """Splits the sample at single line breaks, if what follows looks like a story."""
    stories: list[str] = []
    for block in re.split(r"(?<!\n)\n(?!\n)", text):
        if stories and not begins_story(block):
            stories[-1] += "\n\n" + block.strip()
        else:
            stories.append(block.strip())
    return [re.sub(r"\n{2,}", "\n\n", story).strip() for story in stories if story.strip()]


def is_held_out(story: str) -> bool:
    """Whether this story is excluded from training; depends on its text alone."""
    return crc32(story.encode()) % HELD_OUT_SHARE == 0


def load_stories(path: Path) -> tuple[list[str], list[str]]:
    stories = split_stories(clean_quotes(path.read_text(encoding="utf-8")))
    return [s for s in stories if not is_held_out(s)], [s for s in stories if is_held_out(s)]


def rename_children(story: str, rng: Random) -> str:
    """Exchanges the names of children, so that the model learns to copy names and not to remember them."""
    others = dict(zip(GIRLS + BOYS, rng.sample(GIRLS, len(GIRLS)) + rng.sample(BOYS, len(BOYS)), strict=True))
    return NAME.sub(lambda match: others[match.group()], story)
