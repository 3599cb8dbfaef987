"""Damaged bodies with media end in a response, never in a crash."""

import base64
import random
import re

import orjson
import requests

from tests.server.http_client import SECONDS, Json, get
from tests.slots.multimodal.media_files import data_url, encoded, gif, jpeg, wav
from tests.slots.multimodal.mutations import mutated
from tests.slots.multimodal.projectors import needs_tools

pytestmark = needs_tools

N_BODIES = 150
SHORT = {"n_predict": 1, "max_tokens": 1}


def bodies() -> list[tuple[str, Json]]:
    prompt = {"prompt_string": "a<__media__>b", "multimodal_data": [encoded(wav(440, 0.05))]}
    parts = [{"type": "image_url", "image_url": {"url": data_url(jpeg(), "image/jpeg")}}, {"type": "text", "text": "b"}]
    return [
        ("/completion", {"prompt": "a[img-1]b", "image_data": [{"data": encoded(gif((1, 2, 3))), "id": 1}]}),
        ("/completion", {"prompt": prompt}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": parts}]}),
    ]


def damaged(body: bytes, rng: random.Random) -> bytes:
    """Returns a body with another byte of the JSON, or of a file in it."""
    files = list(re.finditer(rb"[A-Za-z0-9+/=]{40,}", body))
    if not files or rng.random() < 0.5:
        return mutated(body, rng)
    file = rng.choice(files)
    changed = mutated(base64.b64decode(file[0]), rng)
    return body[: file.start()] + base64.b64encode(changed) + body[file.end() :]


def test_damaged_bodies_get_a_response(media_server: str) -> None:
    rng = random.Random(3)
    statuses: set[int] = set()
    with requests.Session() as session:
        for index in range(N_BODIES):
            path, body = bodies()[index % 3]
            data = damaged(orjson.dumps(body | SHORT), rng)
            statuses.add(session.post(media_server + path, data=data, timeout=SECONDS).status_code)
    assert {200, 400} <= statuses <= {200, 400, 501}
    assert get(f"{media_server}/health").status_code == 200
