"""Media parts: the pictures and sounds in the messages of a chat, and their places in its texts."""

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["image", "audio"]
KIND_NAMES: dict[Kind, str] = {"image": "images", "audio": "sounds"}


@dataclass(frozen=True, slots=True)
class MediaSource:
    """Where a picture or sound comes from, before anything of it is read."""

    name: str
    """The part of the request that it is, for error messages."""
    url: str
    """A data:, http(s): or file: URL, or the file in base64."""
    kind: Kind | None = None
    """What it has to be, if the request says so."""


class MediaPart(str):
    """A part of a message that is a picture or sound. As a text it is a marker, which nobody can guess: a template
    writes it where the part belongs."""

    source: MediaSource

    def __new__(cls, source: MediaSource) -> "MediaPart":
        part = super().__new__(cls, f"<__media_{secrets.token_hex(16)}__>")
        part.source = source
        return part


def image_part(name: str, url: str) -> MediaPart:
    """Returns the part for a picture; `url` is a URL, or the file in base64, `name` the part in error messages."""
    return MediaPart(MediaSource(name, url, "image"))


def audio_part(name: str, url: str) -> MediaPart:
    """Returns the part for a sound, as `image_part` does for a picture."""
    return MediaPart(MediaSource(name, url, "audio"))


class TextParts(str):
    """The content of a message that was given as several parts: their texts, a line each. Media are within a line, as
    llama.cpp's server has it."""

    parts: tuple[str, ...]

    def __new__(cls, parts: Iterable[str]) -> "TextParts":
        texts = tuple(parts)
        content = super().__new__(cls, _join(texts))
        content.parts = texts
        return content

    @property
    def media(self) -> list[MediaPart]:
        return [part for part in self.parts if isinstance(part, MediaPart)]


def _join(parts: Sequence[str]) -> str:
    text, after_media = "", True
    for part in parts:
        is_media = isinstance(part, MediaPart)
        text += part if after_media or is_media or not text else f"\n{part}"
        after_media = is_media
    return text


def media_in(messages: Iterable[Mapping[str, object]]) -> list[MediaPart]:
    """Returns the media of messages, in order."""
    contents = [message.get("content") for message in messages]
    return [part for content in contents if isinstance(content, TextParts) for part in content.media]


def split_at_media(text: str, parts: Sequence[MediaPart]) -> list[str]:
    """Returns the pieces of a rendered prompt: texts, and between them the markers of media."""
    return re.split(f"({'|'.join(map(re.escape, parts))})", text) if parts else [text]
