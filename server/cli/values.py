"""Readers: functions from the text of a flag or variable to its value.

Each raises argparse.ArgumentTypeError for an invalid text, with what was expected and what came.
"""

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from slots.options import ContextOptions

MAX_SIZE = 2**31 - 1
"""llama.cpp's sizes are 32-bit integers."""
MAX_THREADS = 512
"""ggml's limit."""
TRUE_WORDS = ("on", "enabled", "true", "1")
FALSE_WORDS = ("off", "disabled", "false", "0")


def invalid(expected: str, text: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")


def int_in_range(minimum: int, maximum: int | None = None) -> Callable[[str], int]:
    """Returns a reader of whole numbers from `minimum` to `maximum`, both inclusive."""
    expected = f"a whole number of {minimum} or more"
    if maximum is not None:
        expected = f"a whole number from {minimum} to {maximum}"

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise invalid(expected, text) from None
        if value < minimum or (maximum is not None and value > maximum):
            raise invalid(expected, text)
        return value

    return read


def integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise invalid("a whole number", text) from None


def finite_float(text: str) -> float:
    return _parse_float(text, "a number")


def positive_float(text: str) -> float:
    value = _parse_float(text, "a number above 0")
    if value <= 0:
        raise invalid("a number above 0", text)
    return value


def probability(text: str) -> float:
    value = _parse_float(text, "a number from 0 to 1")
    if not 0 <= value <= 1:
        raise invalid("a number from 0 to 1", text)
    return value


def reciprocal(text: str) -> float:
    return 1 / positive_float(text)


def on_off(text: str) -> bool:
    """Accepts the words that llama.cpp accepts."""
    if text in TRUE_WORDS:
        return True
    if text in FALSE_WORDS:
        return False
    raise invalid(f"one of {', '.join(TRUE_WORDS + FALSE_WORDS)}", text)


def one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise invalid(f"one of {', '.join(choices)}", text)
        return text

    return read


def flash_attention(text: str) -> str:
    """Returns "on", "off" or "auto"; accepts other words for on and off as well."""
    if text in ("auto", "-1"):
        return "auto"
    try:
        return "on" if on_off(text) else "off"
    except argparse.ArgumentTypeError:
        raise invalid("one of on, off, auto", text) from None


def gpu_layers(text: str) -> int:
    """Returns a number of layers, or -1 for all, which "auto" means as well."""
    if text in ("all", "auto", "-1"):
        return -1
    try:
        return int_in_range(0, MAX_SIZE)(text)
    except argparse.ArgumentTypeError:
        raise invalid("a number of layers, 'auto' or 'all'", text) from None


def thread_count(text: str) -> int:
    """Returns a number of threads; 0, which means the fastest one, for anything below 1."""
    return max(0, int_in_range(-1, MAX_THREADS)(text))


def slot_count(text: str) -> int:
    """Returns a number of slots; -1 leaves the choice to the server, which has no other than the default."""
    if text == "-1":
        return ContextOptions().n_parallel
    return int_in_range(1)(text)


def tensor_split(text: str) -> tuple[float, ...]:
    """Returns the proportions of a list such as 3,1 or 3/1."""
    expected = "numbers of 0 or more with commas between them, such as 3,1"
    shares = tuple(_parse_float(part, expected) for part in text.replace("/", ",").split(","))
    if min(shares) < 0 or max(shares) == 0:
        raise invalid(expected, text)
    return shares


def hub_repository(text: str) -> str:
    """Returns the text if it is USER/REPO or USER/REPO:QUANT."""
    repository, _, quantization = text.partition(":")
    user, _, name = repository.partition("/")
    if not user or not name or "/" in name or text.endswith(":") or ":" in quantization:
        raise invalid("USER/REPO or USER/REPO:QUANT", text)
    return text


def names(text: str) -> tuple[str, ...]:
    """Returns the names of a list with commas between them."""
    found = tuple(name for part in text.split(",") if (name := part.strip()))
    if not found:
        raise invalid("names with commas between them", text)
    return found


def path_prefix(text: str) -> str:
    """Returns a path that begins with a slash and does not end with one."""
    prefix = "/" + text.strip("/")
    if prefix == "/" or any(character in prefix for character in "?#% "):
        raise invalid("a path such as /llm", text)
    return prefix


def http_url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise invalid("an URL that begins with http:// or https://", text)
    return text


def api_keys(text: str) -> tuple[str, ...]:
    """Returns the keys of a comma-separated list."""
    found = tuple(key for part in text.split(",") if (key := part.strip()))
    if not found:
        raise invalid("a key", text)
    return found


def api_key_file(text: str) -> tuple[str, ...]:
    """Returns the keys of a file, one per line; lines that start with # are comments."""
    lines = _read_text(text, "a file of keys").splitlines()
    found = tuple(key for line in lines if (key := line.strip()) and not key.startswith("#"))
    if not found:
        # Without a key the server would be open, which is the opposite of what the flag is for.
        raise argparse.ArgumentTypeError(f"expected a file of keys, one on a line, but {text} has none")
    return found


def existing_folder(text: str) -> Path:
    path = Path(text)
    try:
        is_folder = bool(text) and path.is_dir()
    except OSError:
        is_folder = False
    if not is_folder:
        raise invalid("an existing folder", text)
    return path


def text_file(text: str) -> str:
    return _read_text(text, "a file of text")


def _read_text(path: str, expected: str) -> str:
    try:
        return Path(path).read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise argparse.ArgumentTypeError(f"expected {expected}, but {path} cannot be read: {reason}") from None


def _parse_float(text: str, expected: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise invalid(expected, text) from None
    if not math.isfinite(value):
        raise invalid(expected, text)
    return value
