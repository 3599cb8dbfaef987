"""Headers of image files: width and height before anything is decoded, since a few kilobytes can hold gigabytes."""

import struct
import zlib
from collections.abc import Iterator


class DamagedFile(Exception):
    """A file whose header does not fit together; the message says where."""


def image_size(form: str, data: bytes) -> tuple[int, int]:
    """Returns width and height in pixels. Raises DamagedFile."""
    try:
        width, height = _READERS[form](data)
    except (struct.error, IndexError):
        raise DamagedFile("it ends within its header") from None
    if width < 1 or height < 1:
        raise DamagedFile(f"its size is {width} x {height} pixels")
    return width, height


def check_png_data(data: bytes) -> None:
    """Raises DamagedFile if the pixels unpack to more than the header says: a decoder would make room for all of it."""
    try:
        width, height, depth, color, _, _, interlace = struct.unpack_from(">IIBBBBB", data, 16)
    except struct.error:
        raise DamagedFile("it ends within its header") from None
    n_channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(color, 4)
    row = 1 + (width * n_channels * max(depth, 1) + 7) // 8
    expected = row * height * (2 if interlace else 1) + 64
    unpacked, n_bytes = zlib.decompressobj(), 0
    try:
        for piece in _png_pieces(data):
            rest = piece
            while rest and n_bytes <= expected:
                n_bytes += len(unpacked.decompress(rest, 1 << 20))
                rest = unpacked.unconsumed_tail
    except zlib.error:
        return  # the decoder finds out
    if n_bytes > expected:
        raise DamagedFile(f"it unpacks to more than its {width} x {height} pixels")


def _png_pieces(data: bytes) -> Iterator[bytes]:
    position = 8
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"IDAT":
            yield data[position + 8 : position + 8 + length]
        position += 12 + length


def _png_size(data: bytes) -> tuple[int, int]:
    length, kind, width, height = struct.unpack_from(">I4sII", data, 8)
    if length != 13 or kind != b"IHDR":
        raise DamagedFile("its first chunk is not IHDR")
    return width, height


def _gif_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _bmp_size(data: bytes) -> tuple[int, int]:
    (header_size,) = struct.unpack_from("<I", data, 14)
    if header_size not in (12, 40, 56, 108, 124):
        raise DamagedFile(f"its header has {header_size} bytes, which no BMP file has")
    width, height = struct.unpack_from("<HH" if header_size == 12 else "<ii", data, 18)
    return width, abs(height)


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Returns the size in the first frame header, which comes before any pixels."""
    position = 2
    while data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # padding
            position += 1
            continue
        if marker in _FRAME_MARKERS:
            height, width = struct.unpack_from(">HH", data, position + 5)
            return width, height
        if marker in (0xD9, 0xDA):
            raise DamagedFile("it has pixels before its frame header")
        (length,) = struct.unpack_from(">H", data, position + 2)
        position = _next_marker(data, position + 2 + max(length, 2))
    raise DamagedFile("it has no frame header")


def _next_marker(data: bytes, position: int) -> int:
    """Returns where the next marker is: decoders skip what is between segments."""
    found = data.find(b"\xff", position)
    if found < 0:
        raise DamagedFile("it has no frame header")
    return found


_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_READERS = {"png": _png_size, "jpeg": _jpeg_size, "gif": _gif_size, "bmp": _bmp_size}
