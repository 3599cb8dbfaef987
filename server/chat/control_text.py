"""Control text: what a user or a tool spells like a control token stays text, so that a message cannot forge turns.

The template writes control tokens as text, too. So such texts of messages are replaced by marks before it is rendered,
and the prompt is tokenized in pieces: around the marks with control tokens, in place of the marks without.
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from weakref import WeakKeyDictionary

from server.chat.media_parts import MediaPart, TextParts
from server.chat.messages import Message
from slots.llama import Vocab

UNTRUSTED_ROLES = ("user", "tool")
MARK = re.compile("\ufdd0([0-9]+)\ufdd1")
"""The number of a text between two of Unicode's noncharacters, which no text is to contain."""
MAX_CONTENTS = 4_096

_caches: WeakKeyDictionary[Vocab, OrderedDict[bytes, frozenset[str]]] = WeakKeyDictionary()
_lock = Lock()


class ControlText:
    """The control texts in the messages of one chat."""

    def __init__(self, messages: Sequence[Message], vocab: Vocab) -> None:
        self._vocab = vocab
        contents = [str(message["content"] or "") for message in messages if message["role"] in UNTRUSTED_ROLES]
        found = frozenset[str]().union(*(_control_texts(content, vocab) for content in contents))
        self._texts = sorted(found, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, self._texts))) if found else None

    def mark(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """Returns the messages with marks in place of control texts."""
        if self._pattern is None:
            return tuple(messages)
        return tuple(
            message | {"content": self._mark(message["content"])} if message["role"] in UNTRUSTED_ROLES else message
            for message in messages
        )

    def unmark(self, text: str) -> str:
        """Returns a text with control texts in place of marks."""
        return MARK.sub(lambda mark: self._texts[int(mark[1])], text) if self._pattern else text

    def tokenize(self, text: str) -> list[int]:
        """Returns the tokens of a rendered prompt, without any that the vocabulary adds by itself."""
        if self._pattern is None:
            return self._vocab.tokenize(text, add_special=False, parse_special=True)
        tokens: list[int] = []
        for index, piece in enumerate(MARK.split(text)):
            spelled = self._texts[int(piece)] if index % 2 else piece
            tokenize = self._vocab.tokenize_plain if tokens else self._vocab.tokenize
            tokens += tokenize(spelled, add_special=False, parse_special=index % 2 == 0)
        return tokens

    def _mark(self, content: object) -> object:
        if isinstance(content, TextParts):
            return TextParts(part if isinstance(part, MediaPart) else self._mark_text(part) for part in content.parts)
        return self._mark_text(content) if isinstance(content, str) else content

    def _mark_text(self, text: str) -> str:
        assert self._pattern is not None
        return self._pattern.sub(lambda found: f"\ufdd0{self._texts.index(found[0])}\ufdd1", text)


def _control_texts(content: str, vocab: Vocab) -> frozenset[str]:
    """Returns the texts in a message that would become control tokens, and what would be taken for marks. Remembers
    them by a digest: a chat sends its messages again with each turn."""
    digest = hashlib.blake2b(content.encode(errors="surrogatepass"), digest_size=16).digest()
    with _lock:
        cache = _caches.setdefault(vocab, OrderedDict())
        if digest in cache:
            cache.move_to_end(digest)
            return cache[digest]
    try:
        tokens = set(vocab.tokenize(content, add_special=False, parse_special=True))
    except ValueError:
        tokens = set()  # the whole prompt is refused for the same reason
    found = {vocab.display(token) for token in tokens if vocab.is_control(token)}
    texts = frozenset(
        {text for text in found if text in content} | {char for char in "\ufdd0\ufdd1" if char in content}
    )
    with _lock:
        cache[digest] = texts
        if len(cache) > MAX_CONTENTS:
            cache.popitem(last=False)
    return texts
