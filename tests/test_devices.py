"""Two devices of JAX with half of the batch each are one with all of it."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import adversarial

PROGRAM = pathlib.Path(__file__).with_name("two_devices.py")
ROUNDING = 1e-12
"""Float64 sums of numbers near 1 in another order, over six steps."""


@pytest.fixture(scope="module")
def cases():
    """What the program finds, by case."""
    root = str(pathlib.Path(adversarial.__file__).parents[1])
    run = subprocess.run(
        [sys.executable, str(PROGRAM)],
        env={**os.environ, "PYTHONPATH": root, "JAX_ENABLE_X64": "1"},
        capture_output=True,
        text=True,
    )
    assert not run.returncode, run.stderr
    # Keras and JAX warn of arrays that are where they should not be.
    assert "Warning" not in run.stderr
    lines = [x for x in run.stdout.splitlines() if x.startswith("CASE ")]
    found = [json.loads(line.removeprefix("CASE ")) for line in lines]
    return {case["name"]: case for case in found}


@pytest.mark.parametrize(
    "name", ["simultaneous", "alternating", "extra_gradient", "consensus"]
)
def test_two_devices_train_as_one_does(cases, name):
    """Weights, statistics, noise, optimizers and logs, also of evaluation."""
    case = cases[name]
    assert case["devices"] == [[2], [1]]
    assert len(case["one"]) > 100
    np.testing.assert_allclose(case["two"], case["one"], rtol=0, atol=ROUNDING)
