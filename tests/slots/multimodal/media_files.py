"""Small files of pictures and sounds, made for the tests."""

import base64
import math
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
RED: Colour = (220, 30, 30)
BLUE: Colour = (30, 60, 220)
GREEN: Colour = (20, 160, 40)
WHITE: Colour = (255, 255, 255)


def png(colour: Colour, width: int = 100, height: int = 80) -> bytes:
    """Returns a picture of a square of one colour on a white ground."""
    pixels = np.full((height, width, 3), WHITE, np.uint8)
    pixels[height // 4 : height - height // 4, width // 4 : width - width // 4] = colour
    return png_of(pixels)


def png_of(pixels: NDArray[np.uint8]) -> bytes:
    """Returns the file of a picture, (height, width, 3) uint8."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def png_claiming(width: int, height: int) -> bytes:
    """Returns a PNG whose header claims a size, with few pixels in it."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(bytes(64)))


def png_bomb(n_bytes: int) -> bytes:
    """Returns a PNG of 8 x 8 pixels whose pixels unpack to `n_bytes`."""
    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(bytes(n_bytes)))


def bmp(colour: Colour, width: int = 40, height: int = 30) -> bytes:
    row = bytes(reversed(colour)) * width
    row += bytes(-len(row) % 4)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(row) * height, 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(row) * height, 0, 0, 54) + info + row * height


def gif(colour: Colour) -> bytes:
    """Returns a GIF of one pixel."""
    header = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(colour) + bytes(3)
    return header + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00\x3b"


def jpeg() -> bytes:
    """Returns a red JPEG of 8 x 8 pixels."""
    return base64.b64decode(_JPEG)


def mp3(n_frames: int) -> bytes:
    """Returns silence: frames of 128 kbit/s and 44,100 samples a second."""
    return (b"\xff\xfb\x90\x00" + bytes(413)) * n_frames


def wav(hertz: float, seconds: float = 1.0, rate: int = 16_000) -> bytes:
    """Returns a tone."""
    n_samples = int(seconds * rate)
    samples = b"".join(
        struct.pack("<h", int(12_000 * math.sin(2 * math.pi * hertz * index / rate))) for index in range(n_samples)
    )
    form = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body


def data_url(data: bytes, mime: str = "image/png") -> str:
    return f"data:{mime};base64,{encoded(data)}"


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


_JPEG = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7"
    "gYKBTmCNl4x9lnN+gXz/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8"
    "fHx8fHx8fHz/wAARCAAIAAgDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAX/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QA"
    "FQEBAQAAAAAAAAAAAAAAAAAABAb/xAAUEQEAAAAAAAAAAAAAAAAAAAAA/9oADAMBAAIRAxEAPwCeAGpH/9k="
)
