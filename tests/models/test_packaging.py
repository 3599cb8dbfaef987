"""What pyproject.toml puts into the wheel: all packages but the training of the bundled model."""

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("server", "slots", "grammar", "models")
PACKAGES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]


def source_files() -> list[Path]:
    return [path.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*.py")]


def is_training(path: Path) -> bool:
    return path.parts[:2] == ("models", "bundled_model")


def is_packaged(path: Path) -> bool:
    """Whether setuptools finds the package of a file. It matches names of packages as fnmatch does."""
    package = ".".join(path.parent.parts)
    is_included, is_excluded = (
        any(fnmatchcase(package, pattern) for pattern in PACKAGES[key]) for key in ("include", "exclude")
    )
    return is_included and not is_excluded


def test_every_package_but_the_training_is_in_the_wheel() -> None:
    assert [path for path in source_files() if is_packaged(path) == is_training(path)] == []


def test_nothing_in_the_wheel_imports_the_training() -> None:
    texts = {path: (ROOT / path).read_text() for path in source_files() if not is_training(path)}
    assert [path for path, text in texts.items() if "models.bundled_model" in text] == []
