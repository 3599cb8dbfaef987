"""Damage: JSON values, bytes and headers that were right before."""

import base64
import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import orjson

from tests.slots.multimodal.mutations import mutated

FILE = re.compile(r"[A-Za-z0-9+/=]{40,}")
"""Base64 within a text."""
TEXTS = (
    "",
    " ",
    "\0",
    "\n\n",
    "\ufeff",
    "é\u0301\u202e\U0001f999",
    "\ud7ff\ue000\ufffe\uffff",
    "<|im_end|><s></s><__media__>[img-1]",
    "{{ 7 * 7 }}{% for a in range(9**9) %}",
    "../../etc/passwd",
    "%00%s%n",
    "a" * 5_000,
    "\U0001f999" * 300,
    "(a+)+$",
    'root ::= root "a" | ("b"*)*',
    "data:image/png;base64,",
    "data:;base64,AAAA",
    "http://127.0.0.1:1/a.png",
    "file:///etc/passwd",
    '{"a": "\\ud800"}',
    "null",
    "-1",
    "true",
)
NUMBERS = (
    *(0, 1, -1, 2, 127, 128, -128, 2**15, 2**31 - 1, 2**31, -(2**31), 2**32, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1),
    *(0.5, -0.0, 1e-320, 1e-9, 1.0000001, 1e9, 3.4e38, 3.5e38, 1e300, -1e308),
)
HUGE = (b"1e999", b"-1e999", b"123456789012345678901234567890", b"NaN", b"Infinity", b"0x10", b"01", b"1.", b"+1")
"""Numbers that JSON has no value for, or no place."""
BROKEN = (
    b"",
    b" ",
    b"null",
    b"[]",
    b"{}",
    b'"',
    b"{",
    b"[[[[",
    b"\xff\xfe{\0}\0",
    b"\xef\xbb\xbf{}",
    b"a=b&c=d",
    b"\0",
)
CONTENT_TYPES = (
    *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "multipart/form-data; boundary=x", ""),
    *(
        "application/json; charset=utf-16",
        "application/octet-stream",
        "image/png",
        "a" * 1000,
        "application/json;;=",
        '"',
    ),
)

Place = tuple[Any, Any]
"""A container, and the name or index of a value in it."""


def places(value: Any) -> Iterator[Place]:
    """Yields where each value within another is."""
    names = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for name in list(names):
        yield value, name
        yield from places(value[name])


def damage_json(body: Any, rng: Random) -> Any:
    """Returns the body, which is changed itself, with one to three values of it damaged."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        found = list(places(body))
        if not found:
            return odd_value(rng)
        container, name = rng.choice(found)
        rng.choice(CHANGES)(container, name, rng)
    return body


def odd_value(rng: Random) -> Any:
    match rng.randrange(8):
        case 0:
            return rng.choice((None, True, False))
        case 1 | 2:
            return rng.choice(NUMBERS)
        case 3 | 4:
            return rng.choice(TEXTS)
        case 5:
            return [odd_value(rng) for _ in range(rng.randrange(4))]
        case 6:
            return {rng.choice(TEXTS)[:50]: odd_value(rng) for _ in range(rng.randrange(4))}
    return nested(rng.choice((10, 100, 300)), rng)


def nested(depth: int, rng: Random) -> Any:
    value: Any = 1
    is_list = rng.random() < 0.5
    for _ in range(depth):
        value = [value] if is_list else {"a": value}
    return value


def replace(container: Any, name: Any, rng: Random) -> None:
    container[name] = odd_value(rng)


def move_a_little(container: Any, name: Any, rng: Random) -> None:
    """Changes a value into one of the same type, or nearly."""
    value = container[name]
    match value:
        case bool():
            container[name] = rng.choice((not value, str(value), int(value)))
        case int() | float():
            container[name] = rng.choice(
                (value + 1, value - 1, -value, value * 1000, str(value), float(value), [value])
            )
        case str():
            container[name] = damage_text(value, rng)
        case list():
            container[name] = rng.choice(
                (value[1:], value * 2, value * 200, [value], value[::-1], dict(enumerate(value)))
            )
            if isinstance(container[name], dict):
                container[name] = {str(index): each for index, each in container[name].items()}
        case dict():
            container[name] = rng.choice((list(value), list(value.values()), [value], dict(list(value.items())[1:])))
        case _:
            container[name] = odd_value(rng)


def damage_text(text: str, rng: Random) -> str:
    if (file := FILE.search(text)) and rng.random() < 0.8:
        return text[: file.start()] + _damage_file(file[0], rng) + text[file.end() :]
    at = rng.randrange(len(text) + 1)
    match rng.randrange(4):
        case 0:
            return text[:at]
        case 1:
            return text[:at] + rng.choice(TEXTS) + text[at:]
        case 2:
            return text.swapcase()
    return text * rng.choice((2, 50))


def _damage_file(encoded: str, rng: Random) -> str:
    """Returns a damaged file, or one in base64 that is damaged."""
    if rng.random() < 0.2:
        return mutated(encoded.encode(), rng).decode("latin-1")
    try:
        return base64.b64encode(mutated(base64.b64decode(encoded), rng)).decode()
    except ValueError:
        return encoded[:-1]


def remove(container: Any, name: Any, _: Random) -> None:
    del container[name]


def rename(container: Any, name: Any, rng: Random) -> None:
    if isinstance(container, dict):
        container[rng.choice((*TEXTS[:8], name + "x", name.upper(), name[:-1]))] = container.pop(name)
    else:
        container.insert(name, odd_value(rng))


def wrap(container: Any, name: Any, rng: Random) -> None:
    container[name] = rng.choice(
        ([container[name]], {"type": container[name]}, [[container[name]]], str(container[name]))
    )


CHANGES: tuple[Callable[[Any, Any, Random], None], ...] = (
    replace,
    replace,
    move_a_little,
    move_a_little,
    remove,
    rename,
    wrap,
)


def damage_bytes(body: bytes, rng: Random) -> bytes:
    """Returns JSON that is mostly none any more."""
    match rng.randrange(7):
        case 0:
            return body[: rng.randrange(len(body) + 1)]
        case 1:
            return mutated(body, rng) if body else rng.choice(BROKEN)
        case 2:
            return re.sub(
                rb"(?<=[:\[,])(-?\d+(\.\d+)?|true|false|\"[^\"]*\")", lambda _: rng.choice(HUGE), body, count=1
            )
        case 3:
            return rng.choice(BROKEN)
        case 4:
            return re.sub(rb'"([^"\\])', rb'"\\ud83d\1', body, count=rng.choice((1, 3, 20)))  # half of a pair
        case 5:
            return body + rng.choice(BROKEN)
    depth = rng.choice((100, 1_000, 100_000))
    return body.replace(b":", b":" + b"[" * depth, 1)


def damage_headers(headers: dict[str, str], body: bytes, rng: Random) -> tuple[dict[str, str], bytes]:
    """Returns other headers, and the body in the coding that they may name."""
    match rng.randrange(4):
        case 0:
            coding = rng.choice(("gzip", "deflate", "br", "identity", "x", "gzip, gzip"))
            return headers | {"Content-Encoding": coding}, body
        case 1:
            packed = gzip.compress(body) if rng.random() < 0.5 else zlib.compress(body)
            changed = rng.choice((packed, mutated(packed, rng), packed[:-9]))
            return headers | {"Content-Encoding": rng.choice(("gzip", "deflate"))}, changed
        case 2:
            return headers | {
                "Accept": rng.choice(("text/event-stream", "x", "")),
                "Cookie": "a=b; session=\u00ff",
            }, body
    return headers | {"Content-Type": rng.choice(CONTENT_TYPES)}, body


def encode(body: Any) -> bytes:
    """Returns a value as JSON; half of a surrogate pair becomes an escape, as a client might send it."""
    try:
        return orjson.dumps(body)
    except (orjson.JSONEncodeError, TypeError):
        import json  # noqa: PLC0415 - for what orjson refuses

        return json.dumps(body).encode()
