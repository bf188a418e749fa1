"""Two replicas with half of the batch each are one with the whole batch."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import adversarial
from adversarial import registry

PROGRAM = pathlib.Path(__file__).with_name("two_replicas.py")
ROUNDING = 1e-5
"""Float32 sums of numbers near 1 in another order, over three steps."""
HALF_ROUNDING = 1e-3
"""The same in float16, whose numbers near 1 are that far apart."""
PARTS = 2
"""Processes that play the cases side by side."""
COMPARED = [
    "everything",
    "weighted",
    "one row left",
    "held back",
    "rolled back",
    "penalised",
]


@pytest.fixture(scope="module")
def cases():
    """What the program finds, by case; it plays all of them once."""
    root = str(pathlib.Path(adversarial.__file__).parents[1])
    parts = [
        subprocess.Popen(
            [sys.executable, str(PROGRAM), str(part), str(PARTS)],
            env={**os.environ, "PYTHONPATH": root, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for part in range(PARTS)
    ]
    texts = [part.communicate()[0] for part in parts]
    assert not any(part.returncode for part in parts)
    lines = [x for text in texts for x in text.splitlines()]
    found = [
        json.loads(line.removeprefix("CASE "))
        for line in lines
        if line.startswith("CASE ")
    ]
    return {case["name"]: case for case in found}


def check(case, atol=ROUNDING):
    assert "error" not in case, f"{case['name']}: {case['error']}"
    two, one = np.asarray(case["two"]), np.asarray(case["one"])
    assert np.isfinite(one).all() and one.size > 10
    np.testing.assert_allclose(
        two, one, rtol=0, atol=atol, err_msg=case["name"]
    )


@pytest.mark.parametrize("name", registry.names("optimizers"))
def test_two_replicas_train_as_one_does(cases, name):
    """Weights, state and logs; clipping, momentum and Adam are at work."""
    check(cases[name])


def test_variants_of_strategies_train_alike_when_run_eagerly(cases):
    variants = [c for c in cases.values() if c.get("kind") == "variant"]
    assert len(variants) > 5
    for case in variants:
        check(case)


@pytest.mark.parametrize("name", COMPARED)
def test_all_around_a_strategy_is_that_of_the_whole_batch(cases, name):
    check(cases[name])


def test_loss_scales_work_across_replicas(cases):
    check(cases["half precision"], HALF_ROUNDING)


def test_a_bad_loss_in_one_replica_is_reported_for_the_game(cases):
    message = cases["reported"]["message"]
    assert "'generator', 'discriminator' at training step 1" in message


def test_replicas_draw_numbers_of_their_own_from_one_state(cases):
    case = cases["latents"]
    assert "error" not in case, case["error"]
    first = np.asarray(case["outputs"][0])
    assert np.unique(first).size == first.size
    assert case["states"] and all(case["moved"])
    for one, other in case["states"]:
        assert one == other


def test_noise_is_drawn_once_per_step_also_under_nested_switches(cases):
    case = cases["draws"]
    assert "error" not in case, case["error"]
    assert case["two"] == case["one"] and case["one"]
