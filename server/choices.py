"""Several choices for one prompt."""

from dataclasses import replace

from server.http.fields import Fields, expected, read_integer
from slots.engine import Engine
from slots.errors import InvalidRequest
from slots.requests.request import CompletionRequest
from slots.requests.sampling_params import MAX_SEED

MAX_CHOICES = 128


def read_n_choices(fields: Fields, name: str, default: int = 1) -> int:
    """Returns how many choices a request wants for each of its prompts. Raises InvalidRequest, which names the field,
    for none or too many."""
    n_choices = read_integer(fields, name, default)
    if not 1 <= n_choices <= MAX_CHOICES:
        raise expected(name, f"a number from 1 to {MAX_CHOICES}", n_choices)
    return n_choices


def check_n_answers(n_prompts: int, n_choices: int, engine: Engine) -> None:
    """Raises InvalidRequest for more answers than there are slots and places in the queue: they could never all be
    taken."""
    n_answers, n_places = n_prompts * n_choices, engine.max_unfinished
    if n_answers > n_places:
        message = f"expected at most {n_places} answers, the slots and places in the queue, got {n_answers}"
        raise InvalidRequest("n", message)


def with_seed_of(request: CompletionRequest, index: int) -> CompletionRequest:
    """Returns the request for one of several choices: a seed that was asked for is the first one's, and the others
    count up from it, so that they differ and come out the same again."""
    seed = request.sampling.seed
    if seed < 0 or index == 0:
        return request
    return replace(request, sampling=replace(request.sampling, seed=(seed + index) % (MAX_SEED + 1)))
