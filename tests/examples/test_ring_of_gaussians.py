import csv

import numpy as np
from PIL import Image


def test_simultaneous_steps_lose_modes_and_consensus_keeps_them(smoke):
    out, words = smoke
    assert "median  simultaneous" in words
    with (out / "modes.csv").open(newline="") as file:
        modes = {r["strategy"]: int(r["modes"]) for r in csv.DictReader(file)}
    # Seen: 0 or 1, and 8, at each of five seeds.
    assert modes["simultaneous"] <= 4
    assert modes["consensus"] >= 7


def test_the_picture_shows_both_rows(smoke):
    with Image.open(smoke[0] / "ring.png") as image:
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
