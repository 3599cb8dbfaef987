"""Media in prompts that are texts: the two forms in which llama.cpp's servers take them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from server.chat.media_parts import MediaSource
from server.generation.media import MediaLoader
from server.http.fields import as_string, invalid_value, is_number
from slots.errors import InvalidRequest
from slots.multimodal.media import Media

IMAGE_PLACE = re.compile(r"\[img-(\d{1,9})\]")
OLD_MARKER = "<__media__>"
"""The marker of llama.cpp's servers before it was a random one."""


@dataclass(frozen=True, slots=True)
class Images:
    """`image_data` of a request: files by the numbers with which a prompt names them, as in [img-12]."""

    by_id: Mapping[int, MediaSource] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.by_id)


def read_image_data(value: object) -> Images:
    """Returns the files of a list of objects with data and id. Without an id, it is the index. Raises
    InvalidRequest."""
    if not isinstance(value, list):
        raise invalid_value("image_data", "a list of objects with data and id", value)
    images: dict[int, MediaSource] = {}
    for index, each in enumerate(value):
        name = f"image_data[{index}]"
        if not isinstance(each, dict):
            raise invalid_value(name, "an object with data and id", each)
        image_id = each.get("id", index)
        if not is_number(image_id) or image_id != int(image_id) or not 0 <= image_id < 10**9:
            raise invalid_value(f"{name}.id", "a number from 0 to 999999999", image_id)
        if int(image_id) in images:
            raise InvalidRequest(f"{name}.id", f"expected another number, since {int(image_id)} is taken")
        images[int(image_id)] = MediaSource(f"{name}.data", as_string(f"{name}.data", each.get("data")))
    return Images(images)


def split_at_images(name: str, pieces: Sequence[object], images: Images, loader: MediaLoader) -> list[object]:
    """Returns the pieces of a prompt, texts and tokens, with media in place of [img-12] and the like. Images that no
    text names precede the prompt. Without images nothing is a place for one. Raises InvalidRequest for a place that has
    none, and what `loader` raises."""
    if not images:
        return list(pieces)
    found: list[object] = []
    loaded: dict[int, Media] = {}
    for piece in pieces:
        if isinstance(piece, str):
            found += _split_text(name, piece, images, loader, loaded)
        else:
            found.append(piece)
    unnamed = [loader.load(source) for image_id, source in images.by_id.items() if image_id not in loaded]
    return ["", *unnamed, *found] if unnamed else found


def _split_text(name: str, text: str, images: Images, loader: MediaLoader, loaded: dict[int, Media]) -> list[object]:
    """Returns texts and media by turns, a text first."""
    pieces: list[object] = list(IMAGE_PLACE.split(text))
    for index in range(1, len(pieces), 2):
        image_id = int(str(pieces[index]))
        if image_id not in images.by_id:
            raise InvalidRequest(name, f"expected an image with the id {image_id} in image_data for [img-{image_id}]")
        if image_id not in loaded:
            loaded[image_id] = loader.load(images.by_id[image_id])
        pieces[index] = loaded[image_id]
    return [piece for index, piece in enumerate(pieces) if piece != "" or index == 0]


def split_at_markers(name: str, text: str, data: object, marker: str, loader: MediaLoader) -> list[object]:
    """Returns the texts of a prompt and between them the media of `multimodal_data`, in the order of its markers.

    The marker is the one in /props or, if the text has none of those, that of older servers. Raises InvalidRequest if
    there are not as many markers as media, and what `loader` raises.
    """
    field_name = f"{name}.multimodal_data"
    loader.check_supported(field_name)
    if not isinstance(data, list):
        raise invalid_value(field_name, "a list of files in base64", data)
    pieces: list[object] = list(text.split(marker if marker in text else OLD_MARKER))
    if len(pieces) != len(data) + 1:
        message = f"expected as many as there are media markers (GET /props has it) in the text, {len(pieces) - 1}"
        raise InvalidRequest(field_name, f"{message}, got {len(data)}")
    sources = [MediaSource(f"{field_name}[{i}]", as_string(f"{field_name}[{i}]", part)) for i, part in enumerate(data)]
    found: list[object] = [pieces[0]]
    for piece, source in zip(pieces[1:], sources, strict=True):
        found.append(loader.load(source))
        if piece != "":
            found.append(piece)
    return found
