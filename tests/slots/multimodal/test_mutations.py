"""Damaged files end in a refusal or are taken, never in a crash. `python -m tests.slots.multimodal.mutations 1000`
feeds more of them."""

import os
from pathlib import Path

import pytest

from slots.errors import InvalidRequest
from tests.slots.multimodal.media_files import png
from tests.slots.multimodal.mutations import feed, make_fed_encoder
from tests.slots.multimodal.projectors import needs_tools

pytestmark = needs_tools

N_EACH = 150
"""Of seven files: a thousand."""


def test_a_thousand_damaged_files_end_in_no_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is started for them either: programs of these names in PATH would say so."""
    started = tmp_path / "started"
    for name in ("ffmpeg", "ffprobe"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\ntouch {started}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    outcomes = feed(make_fed_encoder(), N_EACH, seed=1)
    assert sum(outcomes.values()) == 7 * N_EACH
    assert min(outcomes["refused"], outcomes["taken"]) > 50
    assert not started.exists()


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 1), (3, 2), (1999, 13)])
def test_odd_sizes_are_taken_or_refused(size: tuple[int, int]) -> None:
    encoder = make_fed_encoder()
    try:
        media = encoder.load("part", png((9, 9, 9), *size))
    except InvalidRequest:
        return
    assert all(len(encoder.projector.encode(prepared)) == prepared.n_cells for prepared in media.pending)
