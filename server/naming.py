"""Errors that the vocabulary raises, with the name of the field whose text was at fault."""

from collections.abc import Iterator
from contextlib import contextmanager

from slots.errors import InvalidRequest
from slots.llama import UnbrokenTextError


@contextmanager
def naming(field: str) -> Iterator[None]:
    """Raises InvalidRequest, which names `field`, for a text that cannot be tokenized."""
    try:
        yield
    except UnbrokenTextError as error:
        raise InvalidRequest(field, str(error)) from None
