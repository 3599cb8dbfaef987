"""Evaluation of the tower through a running server, on drawings that were never trained on.

llama-slots --port 8080 &
python -m models.bundled_model.pictures.evaluate --url http://127.0.0.1:8080
"""

import argparse
import base64
import io
import json
import re
import urllib.request
from collections.abc import Callable
from random import Random

from PIL import Image

from models.bundled_model.corpus.questions import Exchange
from models.bundled_model.pictures.exchanges import colour, count, shape
from models.bundled_model.pictures.scenes import Scene, draw_scene, render

SEED = 11
DRAWINGS = 200
SIZES = (64, 96, 128, 200, 256)
MAX_ANSWER_TOKENS = 24

QUESTIONS: dict[str, tuple[Callable[[Scene, Random], Exchange], tuple[int, ...]]] = {
    "colour of one shape": (colour, (1,)),
    "which shape": (shape, (1,)),
    "how many shapes": (count, (1, 2, 3)),
    "colour of one of several": (colour, (2, 3)),
}
"""Of each kind of question: how it is drawn, and the numbers of shapes in its scenes."""


def png(scene: Scene, size: int) -> bytes:
    """The picture of a scene as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(render(scene, size)).save(file, "PNG")
    return file.getvalue()


def answer(url: str, picture: bytes, question: str) -> str:
    """The greedy answer of /v1/chat/completions to a question about a picture."""
    data = "data:image/png;base64," + base64.b64encode(picture).decode()
    content = [{"type": "image_url", "image_url": {"url": data}}, {"type": "text", "text": question}]
    body = {"messages": [{"role": "user", "content": content}], "temperature": 0, "max_tokens": MAX_ANSWER_TOKENS}
    request = urllib.request.Request(
        f"{url}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as response:
        return str(json.load(response)["choices"][0]["message"]["content"])


def is_right(text: str, exchange: Exchange) -> bool:
    """Whether the answer names the key as a word."""
    return re.search(rf"\b{re.escape(exchange.key)}\b", text, re.IGNORECASE) is not None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    arguments = parser.parse_args()
    rng = Random(SEED)
    for kind, (draw, counts) in QUESTIONS.items():
        right = 0
        for i in range(DRAWINGS):
            scene = draw_scene(rng, counts[i % len(counts)])
            exchange = draw(scene, rng)
            right += is_right(answer(arguments.url, png(scene, rng.choice(SIZES)), exchange.question), exchange)
        print(f"{kind}: {right} of {DRAWINGS} drawings, {right / DRAWINGS:.1%}", flush=True)


if __name__ == "__main__":
    main()
