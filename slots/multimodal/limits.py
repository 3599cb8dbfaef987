"""What a file may be, by its first bytes and its header, before anything is decoded."""

from dataclasses import dataclass
from typing import Literal

from slots.errors import InvalidRequest
from slots.multimodal.audio_files import audio_seconds, plain_wav, strip_mp3
from slots.multimodal.image_files import DamagedFile, check_png_data, image_size
from slots.options import MediaOptions

Kind = Literal["image", "audio"]
FORMATS: dict[Kind, str] = {"image": "PNG, JPEG, GIF or BMP", "audio": "WAV, MP3 or FLAC"}

_MAX_ASPECT = 200
"""Width by height or height by width: a longer strip has no form that a model takes."""


@dataclass(frozen=True, slots=True)
class CheckedFile:
    kind: Kind
    size: tuple[int, int] | None
    """Width and height of a picture, in pixels."""
    data: bytes
    """The file, without parts that could make a decoder believe in another size."""


def check_file(name: str, data: bytes, options: MediaOptions) -> CheckedFile:
    """Raises InvalidRequest, which names the part of the request, for a file of another format, one that is above the
    limits, and one whose header is damaged."""
    if len(data) > options.max_bytes:
        message = f"expected a file of at most {options.max_bytes} bytes (--media-max-bytes), got {len(data)}"
        raise InvalidRequest(name, message)
    form = detect_format(data)
    if form is None:
        raise InvalidRequest(
            name, f"expected a file in {FORMATS['image']} format, or a sound in {FORMATS['audio']} format"
        )
    try:
        if form in ("png", "jpeg", "gif", "bmp"):
            return CheckedFile("image", _check_image(name, form, data, options), data)
        return CheckedFile("audio", None, _check_audio(name, form, data, options))
    except DamagedFile as error:
        raise InvalidRequest(name, f"expected a whole file, got a damaged one: {error}") from None


def detect_format(data: bytes) -> str | None:
    """Returns the format by the first bytes; None for any but those that are decoded here: llama.cpp would hand them to
    ffmpeg."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if data.startswith(b"BM"):
        return "bmp"
    if data.startswith(b"RIFF") and data[8:12] == b"WAVE":
        return "wav"
    if data.startswith(b"fLaC"):
        return "flac"
    if data.startswith(b"ID3") or (data[:1] == b"\xff" and data[1:2] > b"\xdf"):
        return "mp3"
    return None


def _check_image(name: str, form: str, data: bytes, options: MediaOptions) -> tuple[int, int]:
    width, height = image_size(form, data)
    if width * height > options.max_pixels:
        message = f"expected a picture of at most {options.max_pixels} pixels, got {width} x {height}"
        raise InvalidRequest(name, message)
    if max(width, height) > _MAX_ASPECT * min(width, height):
        raise InvalidRequest(name, f"expected sides that differ at most {_MAX_ASPECT} times, got {width} x {height}")
    if form == "png":
        check_png_data(data)
    return width, height


def _check_audio(name: str, form: str, data: bytes, options: MediaOptions) -> bytes:
    if form == "wav":
        data = plain_wav(data)
    elif form == "mp3":
        data = strip_mp3(data)
    seconds = audio_seconds(form, data)
    if seconds > options.max_seconds:
        raise InvalidRequest(name, f"expected a sound of at most {options.max_seconds} seconds, got {seconds:.0f}")
    return data
