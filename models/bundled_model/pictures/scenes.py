"""Scenes: one to three drawn shapes of ten colours on a plain background, and their pixels."""

from dataclasses import dataclass, replace
from random import Random

import numpy as np
from numpy.typing import NDArray

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 30, 36),
    "blue": (36, 72, 214),
    "green": (32, 156, 52),
    "yellow": (244, 220, 36),
    "orange": (246, 138, 22),
    "purple": (132, 44, 168),
    "black": (16, 16, 18),
    "white": (250, 250, 250),
    "pink": (250, 150, 190),
    "brown": (122, 74, 36),
}
SHAPES = ("square", "circle", "triangle")
BACKGROUNDS: tuple[tuple[int, int, int], ...] = (
    (250, 250, 250), (222, 224, 226), (186, 190, 194), (244, 236, 214), (206, 226, 246), (214, 240, 214), (72, 76, 84),
    (20, 22, 26),
)  # fmt: skip
MAX_SHAPES = 3
COLOUR_NOISE = 10
MIN_CONTRAST = 70
"""Least distance of a shape's colour from the background, in units of one of 256 levels."""
MIN_RADIUS, MAX_RADIUS = 0.13, 0.21
"""Half the size of a shape, as a share of the shorter side; a shape alone may be MAX_RADIUS_ALONE."""
MAX_RADIUS_ALONE = 0.32
MIN_GAP = 0.03


@dataclass(frozen=True)
class Shape:
    """One shape: x, y and radius as shares of the shorter side of the picture, turned by `angle` radians."""

    kind: str
    colour: str
    rgb: tuple[int, int, int]
    x: float
    y: float
    radius: float
    angle: float


@dataclass(frozen=True)
class Scene:
    """Shapes of different kinds on a background. Its width and height are shares of the shorter side, so one is 1."""

    shapes: tuple[Shape, ...]
    background: tuple[int, int, int]
    width: float = 1.0
    height: float = 1.0


def draw_scene(rng: Random, count: int | None = None, aspect: float = 1.0) -> Scene:
    """Draws a scene of `count` shapes, of 1 to 3 if that is None, whose width is `aspect` times its height."""
    count = rng.randint(1, MAX_SHAPES) if count is None else count
    empty = Scene((), rng.choice(BACKGROUNDS), max(1.0, aspect), max(1.0, 1 / aspect))
    kinds = rng.sample(SHAPES, count) if rng.random() < 0.7 else rng.choices(SHAPES, k=count)
    max_radius = MAX_RADIUS if count > 1 else MAX_RADIUS_ALONE
    shapes: list[Shape] = []
    while len(shapes) < count:
        shape = _draw_shape(rng, kinds[len(shapes)], max_radius, empty)
        if _contrast(shape, empty) >= MIN_CONTRAST and _is_free(shape, shapes):
            shapes.append(shape)
    return replace(empty, shapes=tuple(shapes))


def _draw_shape(rng: Random, kind: str, max_radius: float, scene: Scene) -> Shape:
    """Draws a shape of any colour anywhere in a scene."""
    colour = rng.choice(list(COLOURS))
    red, green, blue = (min(255, max(0, level + rng.randint(-COLOUR_NOISE, COLOUR_NOISE))) for level in COLOURS[colour])
    radius = rng.uniform(MIN_RADIUS, max_radius)
    reach = radius * 1.05
    x, y = rng.uniform(reach, scene.width - reach), rng.uniform(reach, scene.height - reach)
    return Shape(kind, colour, (red, green, blue), x, y, radius, rng.uniform(-0.25, 0.25))


def _contrast(shape: Shape, scene: Scene) -> float:
    return float(np.linalg.norm(np.subtract(shape.rgb, scene.background)))


def _is_free(shape: Shape, others: list[Shape]) -> bool:
    return all(
        np.hypot(shape.x - other.x, shape.y - other.y) > shape.radius + other.radius + MIN_GAP for other in others
    )


def render(scene: Scene, size: int) -> NDArray[np.uint8]:
    """The pixels of a scene whose shorter side has `size` pixels, (height, width, 3) uint8, with smooth edges."""
    rows, columns = round(scene.height * size), round(scene.width * size)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32) + 0.5
    pixels = np.broadcast_to(np.array(scene.background, np.float32), (rows, columns, 3)).copy()
    for shape in scene.shapes:
        inside = np.clip(-_distance(shape, x / size, y / size) * size + 0.5, 0, 1)[..., None]
        pixels += inside * (np.array(shape.rgb, np.float32) - pixels)
    return np.rint(pixels).astype(np.uint8)


def _distance(shape: Shape, x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    """Signed distance of points from the edge of a shape, negative within it."""
    cosine, sine = np.cos(shape.angle), np.sin(shape.angle)
    right = (x - shape.x) * cosine + (y - shape.y) * sine
    down = (y - shape.y) * cosine - (x - shape.x) * sine
    distance: NDArray[np.float32]
    if shape.kind == "circle":
        distance = np.hypot(right, down) - shape.radius
    elif shape.kind == "square":
        distance = np.maximum(np.abs(right), np.abs(down)) - shape.radius * 0.8
    else:
        slope = np.abs(right) * np.float32(0.8660254) - down * 0.5
        distance = np.maximum(down, slope) - shape.radius * 0.5
    return distance
