import csv
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import adversarial

SCRIPT = Path(__file__).parents[2] / "examples" / "ring_of_gaussians.py"


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The folder of a whole small run in a process of its own."""
    out = tmp_path_factory.mktemp("ring") / "new" / "folder"
    package = str(Path(adversarial.__file__).parents[1])
    run = subprocess.run(
        [sys.executable, str(SCRIPT), "--smoke", f"--out={out}"],
        env=os.environ | {"PYTHONPATH": package},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "median  simultaneous" in run.stdout
    return out


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location(SCRIPT.stem, SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_simultaneous_steps_lose_modes_and_consensus_keeps_them(out):
    with (out / "modes.csv").open(newline="") as file:
        modes = {r["strategy"]: int(r["modes"]) for r in csv.DictReader(file)}
    # Seen: 0 or 1, and 8, at each of five seeds.
    assert modes["simultaneous"] <= 4
    assert modes["consensus"] >= 7


def test_the_picture_shows_both_rows(out):
    with Image.open(out / "ring.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    blue = pixels[..., 2] - pixels[..., 0] > 60
    top, bottom = np.array_split(blue, 2)
    # Samples in one place hide one another.
    assert 0 < top.sum() < bottom.sum()


def test_every_strategy_trains_and_gets_a_row(script, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "STEPS", 100)
    runs = {name: script.train(name, 0, 2) for name in script.STRATEGIES}
    for samples in runs.values():
        first, last = samples
        assert first.shape == (script.SAMPLES, 2)
        assert np.isfinite(last).all() and not np.array_equal(first, last)
    script.draw(runs, tmp_path / "all.png")
    with Image.open(tmp_path / "all.png") as image:
        assert image.height / image.width > len(runs) / 3
