"""Checkpoints of earlier versions load, and give the numbers they gave."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from engines import ENGINE

import adversarial

DATA = Path(__file__).with_name("data")
VERSIONS = [path.stem for path in sorted(DATA.glob("checkpoint_*.keras"))]
MOVED = {"rtol": 1e-4, "atol": 1e-5}
"""Float32, two steps, on a machine that may add in another order."""
LARGEST = 60_000
"""Bytes."""


def test_the_versions_are_there():
    assert VERSIONS == ["checkpoint_0_1"]


@pytest.mark.parametrize("name", VERSIONS)
def test_a_checkpoint_is_read_as_it_was_and_trains_on(name):
    path = (DATA / name).with_suffix(".keras")
    assert path.stat().st_size < LARGEST
    expected = json.loads(path.with_suffix(".json").read_text())
    numbers_of = runpy.run_path(str(DATA / "make_checkpoint.py"))["numbers_of"]
    found = numbers_of(adversarial.load_model(path))
    assert found["shapes"] == expected["shapes"]
    np.testing.assert_allclose(found["sums"], expected["sums"], rtol=1e-12)
    np.testing.assert_allclose(found["real"], expected["real"], **MOVED)
    for a, b in zip(found["logs"], expected["logs"], strict=True):
        assert list(a) == list(b)
        assert np.isfinite([*a.values()]).all()
        if ENGINE == "tensorflow":  # Others draw other latents and noise.
            np.testing.assert_allclose([*a.values()], [*b.values()], **MOVED)
