"""Mixture: the training text of generated documents and stories, which depends on the seed alone."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from models.bundled_model.corpus.chat import chat_document, facts_document, transcript_document
from models.bundled_model.corpus.code import module
from models.bundled_model.corpus.dialogues import StoryTeller
from models.bundled_model.corpus.fim import fim_document
from models.bundled_model.corpus.howto import howto_document
from models.bundled_model.corpus.phrasing import with_breaks
from models.bundled_model.corpus.stories import rename_children
from models.bundled_model.tokenizer import END_OF_TEXT

LONG_DIALOGUE = (20, 45)


@dataclass(frozen=True)
class Source:
    """A kind of document and its share among the characters of the corpus."""

    kind: str
    share: float
    draw: Callable[[Random], str]


def sources(stories: Sequence[str]) -> list[Source]:
    teller = StoryTeller.from_stories(stories)
    return [
        Source("story", 0.30, lambda rng: rename_children(rng.choice(stories), rng)),
        Source("howto", 0.09, howto_document),
        Source("chat", 0.21, lambda rng: chat_document(teller, rng, rng.choice([1, 1, 1, 2, 2, 3, 4, 6]))),
        Source("long chat", 0.01, lambda rng: chat_document(teller, rng, rng.randint(*LONG_DIALOGUE))),
        Source("transcript", 0.04, lambda rng: transcript_document(teller, rng, rng.choice([1, 2, 2, 3, 5]))),
        Source("facts", 0.03, facts_document),
        Source("code", 0.05, module),
        Source("infill", 0.27, fim_document),
    ]


def documents(stories: Sequence[str], seed: int) -> Iterator[tuple[str, str]]:
    """Yields kinds and documents with prompt breaks for ever; the shares hold for any stretch of them."""
    rng = Random(seed)
    mixture = sources(stories)
    written = dict.fromkeys((source.kind for source in mixture), 0.0)
    while True:
        source = min(mixture, key=lambda s: written[s.kind] / s.share)
        document = source.draw(rng)
        written[source.kind] += len(document) * rng.uniform(0.5, 1.5)
        yield source.kind, with_breaks(document, rng) + END_OF_TEXT
