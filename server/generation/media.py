"""Media of requests: from what a request says of a picture or sound to what stands for it in a prompt."""

from collections.abc import Iterable, Mapping, Sequence

from server.chat.media_parts import KIND_NAMES, MediaPart, MediaSource, split_at_media
from server.generation.media_sources import read_source
from server.http.errors import ApiError
from server.settings import Settings
from slots.engine import Engine
from slots.errors import InvalidRequest
from slots.multimodal.limits import Kind
from slots.multimodal.media import Media

MAX_MEDIA = 64
"""Of one request."""


class MediaLoader:
    """Loads the media of one request. For a worker thread: files are read and decoded."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self._n_loaded = 0

    def load(self, source: MediaSource) -> Media:
        """Returns the media. Raises InvalidRequest, which names the part of the request, for a file that cannot be
        used or read, and ApiError (501) if the model does not take its kind."""
        encoder = self._engine.media
        if encoder is None or (source.kind and source.kind not in encoder.kinds):
            raise not_supported(source, encoder.kinds if encoder else ())
        self._n_loaded += 1
        if self._n_loaded > MAX_MEDIA:
            raise InvalidRequest(source.name, f"expected at most {MAX_MEDIA} pictures and sounds in a request")
        media = encoder.load(source.name, read_source(source, self._settings, encoder.max_bytes))
        if source.kind and media.kind != source.kind:
            expected, got = (KIND_NAMES[kind] for kind in (source.kind, media.kind))
            raise InvalidRequest(source.name, f"expected a file of {expected} here, got one of {got}")
        return media

    def check_supported(self, name: str) -> None:
        """Raises ApiError (501), which names the part of the request, if the model takes text alone."""
        if self._engine.media is None:
            raise not_supported(MediaSource(name, ""))

    def load_parts(self, parts: Iterable[MediaPart]) -> dict[str, Media]:
        """Returns the media of a chat by their markers. Raises what `load` raises."""
        return {str(part): self.load(part.source) for part in parts}


def not_supported(source: MediaSource, taken: Sequence[Kind] = ()) -> ApiError:
    """Returns the error for media that the model does not take; it takes those of the kinds `taken`."""
    what = KIND_NAMES[source.kind] if source.kind else "images and sounds"
    others = " and ".join(["text", *(KIND_NAMES[kind] for kind in taken)])
    return ApiError(501, f"{source.name}: {what} are not supported, only {others} {'are' if taken else 'is'}")


def pieces_with_media(text: str, media: Mapping[str, Media], parts: Sequence[MediaPart]) -> list[str | Media]:
    """Returns the pieces of a rendered prompt, with media in place of their markers. Raises InvalidRequest for media
    that the template leaves out."""
    pieces = split_at_media(text, parts)
    for part in parts:
        if part not in pieces:
            raise InvalidRequest(part.source.name, "expected where the chat template writes what a message says")
    return [media.get(piece, piece) for piece in pieces]


def name_media(text: str, parts: Iterable[MediaPart], marker: str) -> str:
    """Returns a rendered prompt with llama.cpp's marker in place of those that only this request knows."""
    for part in parts:
        text = text.replace(part, marker)
    return text
