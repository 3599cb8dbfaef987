"""Headers of sound files: how long one is before anything is decoded. llama.cpp's decoder makes room for as many
samples as a header claims, and ends the process where there is none."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slots.multimodal.image_files import DamagedFile

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_WAV_BITS = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64)}
_MAX_CHANNELS = 8
_MIN_RATE, _MAX_RATE = 4_000, 384_000
"""Samples a second; of recorders and of music."""
_MIN_SECONDS = 0.01

_MP3_TAGS = (b"Xing", b"Info", b"VBRI")
"""Of a frame that says how many frames follow."""
_MP3_RATES = np.array([[11025, 12000, 8000], [1, 1, 1], [22050, 24000, 16000], [44100, 48000, 32000]])
"""Samples a second by the version in a frame's header (MPEG 2.5, none, 2, 1), and its number of a rate."""


def audio_seconds(form: str, data: bytes) -> float:
    """Returns how long a sound is, at most. Raises DamagedFile if the header does not say it, or is damaged."""
    try:
        seconds = {"wav": _wav_seconds, "flac": _flac_seconds, "mp3": _mp3_seconds}[form](data)
    except struct.error:
        raise DamagedFile("it ends within its header") from None
    if seconds < _MIN_SECONDS:
        raise DamagedFile(f"it is shorter than {_MIN_SECONDS} seconds")
    return seconds


def plain_wav(data: bytes) -> bytes:
    """Returns a WAV file with the same samples and a new header. Others may claim more samples than there are. Raises
    DamagedFile for compressed samples, and a damaged header."""
    chunks = dict(reversed(list(_riff_chunks(data))))  # the first one of each kind counts
    form, samples = chunks.get(b"fmt "), chunks.get(b"data")
    if form is None or samples is None or len(form) < 16:
        raise DamagedFile("it has no chunks fmt and data")
    tag, n_channels, rate, _, _, n_bits = struct.unpack_from("<HHIIHH", form)
    if tag == _EXTENSIBLE and len(form) >= 26:
        (tag,) = struct.unpack_from("<H", form, 24)
    if n_bits not in _WAV_BITS.get(tag, ()):
        raise DamagedFile(f"its samples are not plain numbers (format {tag}, {n_bits} bits)")
    if not 1 <= n_channels <= _MAX_CHANNELS:
        raise DamagedFile(f"it has {n_channels} channels, not 1 to {_MAX_CHANNELS}")
    _check_rate(rate)
    frame_size = n_channels * n_bits // 8
    samples = samples[: len(samples) // frame_size * frame_size]
    header = struct.pack("<HHIIHH", tag, n_channels, rate, rate * frame_size, frame_size, n_bits)
    body = b"WAVE" + b"fmt " + struct.pack("<I", 16) + header + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body


def strip_mp3(data: bytes) -> bytes:
    """Returns an MP3 file from its first frame on, without claims of how long it is. Raises DamagedFile if it is
    something else behind its tags."""
    start = 0
    while data[start : start + 3] == b"ID3":
        sizes = data[start + 6 : start + 10]
        if len(sizes) < 4 or max(sizes) > 0x7F:
            raise DamagedFile("its ID3 tag is damaged")
        start += 10 + (sizes[0] << 21 | sizes[1] << 14 | sizes[2] << 7 | sizes[3])
    found = _find_frames(data, start).offset
    if not len(found):
        raise DamagedFile("it has no MPEG frame")
    frames = data[found[0] :]
    for tag in _MP3_TAGS:
        frames = frames.replace(tag, bytes(4))
    return frames


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 12
    while position + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        yield kind, data[position + 8 : position + 8 + length]
        position += 8 + length + length % 2


def _wav_seconds(data: bytes) -> float:
    bytes_per_second: int = struct.unpack_from("<I", data, 28)[0]
    return (len(data) - 44) / bytes_per_second


def _flac_seconds(data: bytes) -> float:
    kind_and_length: int
    packed: int
    kind_and_length, packed = struct.unpack_from(">I10xQ", data, 4)
    if kind_and_length & 0x7FFF_FFFF != 34:
        raise DamagedFile("its first block is not STREAMINFO")
    rate, n_samples = packed >> 44, packed & 0xF_FFFF_FFFF
    _check_rate(rate)
    if n_samples == 0:
        raise DamagedFile("its header does not say how long it is")
    return n_samples / rate


def _mp3_seconds(data: bytes) -> float:
    """Returns how long it would be if there were a frame at each place that looks like the beginning of one. That is
    little more than there are, and a decoder never finds more."""
    found = _find_frames(data)
    n_samples = np.select([found.layer == 3, (found.layer == 1) & (found.version != 3)], [384, 576], 1152)
    return float((n_samples / _MP3_RATES[found.version, found.rate]).sum())


@dataclass(frozen=True, slots=True)
class _Frames:
    """Places where a frame may begin, and the numbers in its header, each of shape (frames,)."""

    offset: npt.NDArray[np.intp]
    version: npt.NDArray[np.uint8]
    layer: npt.NDArray[np.uint8]
    rate: npt.NDArray[np.uint8]


def _find_frames(data: bytes, start: int = 0) -> _Frames:
    """A frame begins with eleven bits that are set, and a version, layer, bit rate and rate that exist."""
    values = np.frombuffer(data, np.uint8)[start:]
    offset = np.flatnonzero((values[:-3] == 0xFF) & (values[1:-2] >= 0xE0)) if len(values) > 3 else np.empty(0, np.intp)
    second, third = values[offset + 1], values[offset + 2]
    version, layer, rate = second >> 3 & 3, second >> 1 & 3, third >> 2 & 3
    valid = (version != 1) & (layer != 0) & (rate != 3) & (third >> 4 != 15)
    return _Frames(start + offset[valid], version[valid], layer[valid], rate[valid])


def _check_rate(rate: int) -> None:
    if not _MIN_RATE <= rate <= _MAX_RATE:
        raise DamagedFile(f"it has {rate} samples a second, not {_MIN_RATE} to {_MAX_RATE}")
