"""Damaged files for whoever decodes them: `python -m tests.slots.multimodal.mutations 1000` feeds that many of each
format to a projector of pictures and sounds, in this process, which must not end."""

import random
import struct
import sys
from collections import Counter
from collections.abc import Iterator

from slots.errors import InvalidRequest
from slots.llama import Model
from slots.multimodal.encoder import MediaEncoder, load_encoder
from slots.options import MediaOptions, ModelOptions
from tests.slots.multimodal.media_files import BLUE, RED, bmp, gif, jpeg, mp3, png, wav
from tests.slots.multimodal.projectors import model, projector

KIND = "gemma4uv+gemma4ua"
N_UBATCH = 512
ODD = (0, 1, 0x7F, 0x80, 0xFF)


def originals() -> list[bytes]:
    return [png(RED), png(BLUE, 5, 7), bmp(RED), gif(BLUE), jpeg(), wav(440, 0.2), mp3(8)]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Returns a copy with some bytes, lengths or parts changed, mostly in its header."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        reach = len(changed) if rng.random() < 0.4 else min(len(changed), 64)
        at = rng.randrange(max(reach, 1))
        match rng.randrange(6):
            case 0:
                changed[at : at + 1] = bytes([rng.choice(ODD)])
            case 1:
                changed[at : at + 1] = bytes([rng.randrange(256)])
            case 2:
                changed[at : at + 4] = struct.pack(">I", rng.choice((0, 1, 2**31 - 1, 2**32 - 1, rng.getrandbits(32))))
            case 3:
                del changed[at : at + rng.randrange(1, 9)]
            case 4:
                changed[at:at] = rng.randbytes(rng.randrange(1, 9))
            case 5:
                del changed[at + 8 :]
    return bytes(changed)


def mutations(n_each: int, seed: int) -> Iterator[bytes]:
    rng = random.Random(seed)
    for data in originals():
        for _ in range(n_each):
            yield mutated(data, rng)


def feed(encoder: MediaEncoder, n_each: int, seed: int) -> Counter[str]:
    """Returns how many files were taken and how many refused."""
    outcomes: Counter[str] = Counter()
    for data in mutations(n_each, seed):
        try:
            media = encoder.load("part", data)
        except InvalidRequest as error:
            assert error.field == "part"
            outcomes["refused"] += 1
        else:
            for prepared in media.pending:
                encoder.projector.encode(prepared)
            outcomes["taken"] += 1
    return outcomes


def make_fed_encoder() -> MediaEncoder:
    loaded = Model(ModelOptions(model(KIND)), lambda _share: None)
    return load_encoder(loaded, MediaOptions(projector(KIND), n_threads=1, max_pixels=2_000_000), N_UBATCH)


def main() -> None:
    n_each, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    print(dict(feed(make_fed_encoder(), n_each, seed)))


if __name__ == "__main__":
    main()
