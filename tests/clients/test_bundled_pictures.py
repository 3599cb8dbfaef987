"""The bundled model sees drawn shapes: clients send a picture and get the right colour."""

from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np
import ollama
import pytest
from langchain_core.messages import HumanMessage

from models.bundled_model.corpus.questions import Exchange
from models.bundled_model.pictures.exchanges import colour, count, shape
from models.bundled_model.pictures.scenes import COLOURS, Scene, Shape, draw_scene, render
from tests.clients.anthropic_clients import anthropic_client
from tests.clients.openai_clients import openai_client
from tests.clients.test_langchain_openai import chat_model
from tests.conftest import running_server
from tests.slots.multimodal.media_files import data_url, encoded, png_of

SEED, DRAWINGS = 11, 30
MIN_RIGHT = 24
"""Fewer than one time in 100,000 if 90% of the answers were right."""


@pytest.fixture(scope="module")
def seeing_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(tmp_path_factory.mktemp("seeing")) as url:
        yield url


def scene_of(kind: str, colour_name: str) -> Scene:
    return Scene((Shape(kind, colour_name, COLOURS[colour_name], 0.45, 0.5, 0.27, 0.1),), (222, 224, 226))


def picture(scene: Scene, size: int = 96) -> bytes:
    return png_of(render(scene, size))


def ask(url: str, file: bytes, question: str) -> str:
    parts: Any = [
        {"type": "image_url", "image_url": {"url": data_url(file)}},
        {"type": "text", "text": question},
    ]
    chat = openai_client(url).chat.completions.create(
        model="any", messages=[{"role": "user", "content": parts}], temperature=0, max_tokens=24
    )
    return str(chat.choices[0].message.content)


@pytest.mark.parametrize("name", ["red", "blue", "green", "yellow"])
def test_openais_client_gets_the_colour(seeing_server: str, name: str) -> None:
    answer = ask(seeing_server, picture(scene_of("circle", name)), "What colour is the circle?")
    assert answer == f"The circle is {name}."


def test_langchain_gets_the_colour(seeing_server: str) -> None:
    blocks: list[str | dict[str, Any]] = [
        {"type": "image", "base64": encoded(picture(scene_of("square", "blue"))), "mime_type": "image/png"},
        {"type": "text", "text": "What colour is the square?"},
    ]
    assert "blue" in str(chat_model(seeing_server, temperature=0).invoke([HumanMessage(content=blocks)]).content)


def test_anthropics_client_gets_the_colour(seeing_server: str) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": encoded(picture(scene_of("triangle", "red")))}
    content: Any = [{"type": "image", "source": source}, {"type": "text", "text": "What colour is the triangle?"}]
    answer: Any = anthropic_client(seeing_server).messages.create(
        model="any",
        max_tokens=24,
        messages=[{"role": "user", "content": content}],
        extra_body={"temperature": 0},
    )
    assert "red" in answer.content[0].text


def test_ollamas_client_gets_the_colour(seeing_server: str) -> None:
    message = {
        "role": "user",
        "content": "What colour is the circle?",
        "images": [picture(scene_of("circle", "green"))],
    }
    answer = ollama.Client(seeing_server).chat("bundled", [message], options={"temperature": 0, "num_predict": 24})
    assert answer.message.content == "The circle is green."


@pytest.mark.parametrize(("draw", "counts"), [(colour, (1,)), (shape, (1,)), (count, (1, 2, 3))])
def test_most_answers_about_unseen_drawings_are_right(seeing_server: str, draw: Any, counts: tuple[int, ...]) -> None:
    rng, n_right = Random(SEED), 0
    for i in range(DRAWINGS):
        scene = draw_scene(rng, counts[i % len(counts)])
        exchange: Exchange = draw(scene, rng)
        words = ask(seeing_server, picture(scene, rng.choice((64, 128, 200))), exchange.question).lower()
        n_right += exchange.key in words.replace(".", " ").split()
    assert n_right >= MIN_RIGHT


def test_pixels_of_a_drawing_are_those_of_its_shape(seeing_server: str) -> None:
    pixels = render(scene_of("square", "green"), 64)
    assert tuple(pixels[32, 29]) == COLOURS["green"]
    assert np.array_equal(pixels[0, 0], (222, 224, 226))
