"""Files are refused by their first bytes and headers, before anything is decoded."""

import struct

import pytest

from slots.errors import InvalidRequest
from slots.multimodal.audio_files import plain_wav
from slots.multimodal.limits import check_file, detect_format
from slots.options import MediaOptions
from tests.slots.multimodal.media_files import RED, bmp, gif, mp3, png, png_bomb, png_claiming, wav

OPTIONS = MediaOptions(max_pixels=100_000, max_seconds=5, max_bytes=1_000_000)
JPEG_START = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"


def refusal(data: bytes, options: MediaOptions = OPTIONS) -> str:
    with pytest.raises(InvalidRequest) as caught:
        check_file("part", data, options)
    assert caught.value.field == "part"
    return str(caught.value)


def jpeg(width: int, height: int) -> bytes:
    """Returns the beginning of a JPEG file."""
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, height, width, 3) + bytes(9)
    return JPEG_START + b"\xff\xdb\x00\x05abc" + frame + b"\xff\xda"


def flac(rate: int, n_samples: int) -> bytes:
    """Returns the header of a FLAC file."""
    packed = rate << 44 | 0 << 41 | 15 << 36 | n_samples
    return b"fLaC" + struct.pack(">I", 0x8000_0022) + bytes(10) + struct.pack(">Q", packed) + bytes(16)


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (png(RED), "png"),
        (jpeg(8, 8), "jpeg"),
        (gif(RED), "gif"),
        (bmp(RED), "bmp"),
        (wav(440), "wav"),
        (flac(16_000, 16_000), "flac"),
        (mp3(10), "mp3"),
        (b"ID3" + bytes(7) + mp3(10), "mp3"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", None),
        (b"\x00\x00\x00\x18ftypmp42", None),
        (b"OggS" + bytes(20), None),
        (b"<svg/>", None),
        (b"RIFF", None),
        (b"", None),
    ],
)
def test_a_format_is_told_by_the_first_bytes(data: bytes, form: str | None) -> None:
    assert detect_format(data) == form
    if form is None:
        assert "expected a file in PNG, JPEG, GIF or BMP" in refusal(data)
    else:
        check_file("part", data, OPTIONS)


@pytest.mark.parametrize("data", [png_claiming(1000, 1000), jpeg(1000, 1000), png_claiming(2**31, 2**31)])
def test_too_many_pixels_are_refused_by_the_header(data: bytes) -> None:
    assert refusal(data).startswith("part: expected a picture of at most 100000 pixels, got ")


@pytest.mark.parametrize("data", [png_claiming(0, 8), jpeg(8, 0)])
def test_a_picture_without_pixels_is_refused(data: bytes) -> None:
    assert "its size is" in refusal(data)


def test_a_strip_is_refused() -> None:
    assert refusal(png_claiming(2010, 10)) == "part: expected sides that differ at most 200 times, got 2010 x 10"


def test_pixels_that_unpack_to_more_than_the_header_says_are_refused() -> None:
    assert refusal(png_bomb(10_000_000)).endswith("it unpacks to more than its 8 x 8 pixels")


@pytest.mark.parametrize(
    "data", [png(RED)[:20], JPEG_START, b"GIF89a", b"BM" + bytes(12), jpeg(8, 8)[:30], b"\x89PNG\r\n\x1a\n" + bytes(40)]
)
def test_a_damaged_header_is_refused(data: bytes) -> None:
    assert refusal(data).startswith("part: expected a whole file, got a damaged one: ")


@pytest.mark.parametrize("data", [wav(440, 6), flac(16_000, 6 * 16_000), mp3(300)])
def test_a_long_sound_is_refused_by_its_header(data: bytes) -> None:
    assert refusal(data).startswith("part: expected a sound of at most 5 seconds, got ")


@pytest.mark.parametrize(
    "data",
    [
        wav(440, 0),
        flac(16_000, 0),
        flac(1, 2**30),
        b"ID3" + bytes(7),
        b"ID3" + bytes(7) + flac(16_000, 2**35),
        b"RIFF\x00\x00\x00\x00WAVEfmt ",
    ],
)
def test_a_damaged_sound_is_refused(data: bytes) -> None:
    assert refusal(data).startswith("part: expected a whole file, got a damaged one: ")


def test_a_wav_file_has_as_many_samples_as_it_holds_whatever_it_claims() -> None:
    fact = b"fact" + struct.pack("<II", 4, 2**31)
    lying = bytearray(wav(440, 0.1))
    lying[36:36] = fact
    lying[40 + len(fact) : 44 + len(fact)] = struct.pack("<I", 2**31)
    assert plain_wav(bytes(lying)) == wav(440, 0.1)


def test_an_mp3_file_does_not_say_itself_how_long_it_is() -> None:
    lying = mp3(1)[:36] + b"Xing" + struct.pack(">II", 1, 2**32 - 1) + mp3(10)
    assert b"Xing" not in check_file("part", lying, OPTIONS).data


def test_a_large_file_is_refused() -> None:
    assert refusal(png(RED) + bytes(1_000_000)).startswith(
        "part: expected a file of at most 1000000 bytes (--media-max-bytes), got "
    )
