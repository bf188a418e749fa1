"""The same seed gives the same run, to the last bit, under every strategy.

The other process runs this file as a program.
"""

import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
from keras import layers

from adversarial import AdversarialModel, losses, optimizers as o, registry
from adversarial.builders import build_gan
from adversarial.layers import NormalLatent

SOLVE = {"max_iterations": 1}
ARGUMENTS = {
    "averaging": lambda: o.Averaging("simultaneous"),
    "anderson": lambda: o.Anderson("simultaneous", regularization=1e-3),
    "balanced": lambda: o.Balanced(skip={"discriminator": (1.8, "generator")}),
    "competitive_gradient": lambda: o.CompetitiveGradient(**SOLVE),
    "follow_the_ridge": lambda: o.FollowTheRidge("generator", **SOLVE),
    "gradient_norm": lambda: o.GradientNorm(
        {"discriminator": {"generator": 0.1}}
    ),
    "historical_averaging": lambda: o.HistoricalAveraging("simultaneous"),
    "lookahead": lambda: o.Lookahead(o.Alternating(fresh_noise=True), 2),
    "phases": lambda: o.Phases([(2, "optimistic"), "alternating"]),
    "scheduled": lambda: o.Scheduled([0, [0, 1]]),
    "stackelberg_gradient": lambda: o.StackelbergGradient("generator", **SOLVE),
    "unrolled": lambda: o.Unrolled(1),
}
"""Those whose names are not enough, or that are long to compile."""
COMPILED = ("alternating", "lookahead", "phases", "balanced", "consensus")
"""Compiled, too; not by XLA, which Keras leaves out if all is deterministic."""
CASES = [
    *((name, "eager") for name in registry.names("optimizers")),
    *((name, "compiled") for name in COMPILED),
]
HOW = {
    "eager": {"run_eagerly": True},
    "compiled": {"jit_compile": False},
}
ROWS, BATCH = 12, 4


def run(name, how, seed=7):
    """A training of three steps from a seed: all variables, and the logs."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    generator = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(4),
            layers.BatchNormalization(),
            layers.Dense(3, activation="tanh"),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, activation="tanh"),
            layers.GaussianNoise(0.1),
            layers.Dropout(0.3),
            layers.Dense(1),
        ]
    )
    model = AdversarialModel(
        build_gan(generator, discriminator, NormalLatent(2)),
        player_params={"generator": generator, "discriminator": discriminator},
    )
    strategy = ARGUMENTS.get(name, lambda: o.get(name))()
    adams = [keras.optimizers.Adam(1e-2) for _ in model.players]
    model.compile(strategy, adams, losses.NonSaturating(), **HOW[how])
    x = np.random.default_rng(0).normal(size=(ROWS, 3)).astype("float32")
    logs = model.fit(x, batch_size=BATCH, shuffle=True, verbose=0).history
    found = {f"variable {i}": v for i, v in enumerate(model.whole_state())}
    return {k: np.asarray(v) for k, v in {**found, **logs}.items()}


def all_runs():
    """Every case, in the order of the table."""
    with warnings.catch_warnings():
        # One round of a solver is not enough, and say so.
        warnings.filterwarnings("ignore", "The solver", UserWarning)
        return {f"{name}, {how}": run(name, how) for name, how in CASES}


def play_all(path):
    """What the program does: all runs into one file."""
    keras.config.disable_traceback_filtering()
    deterministic(True)
    flat = {
        f"{case}/{key}": value
        for case, found in all_runs().items()
        for key, value in found.items()
    }
    np.savez(path, **flat)


def deterministic(on):
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    if on:
        tf.config.experimental.enable_op_determinism()
    else:
        # TensorFlow has no public way back, and other tests come after.
        from tensorflow.python.framework import config

        config.disable_op_determinism()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """All cases three times: twice in this process, once in another."""
    path = tmp_path_factory.mktemp("reproducible") / "other.npz"
    other = subprocess.Popen([sys.executable, __file__, path])
    deterministic(True)
    try:
        first, again = all_runs(), all_runs()
    except BaseException:
        other.kill()
        raise
    finally:
        deterministic(False)
        code = other.wait()
    assert code == 0
    with np.load(path) as file:
        elsewhere = dict(file)
    return first, again, elsewhere


@pytest.mark.parametrize("case", [f"{name}, {how}" for name, how in CASES])
def test_the_same_seed_gives_the_same_run_to_the_last_bit(runs, case):
    first, again, elsewhere = runs
    prefix = f"{case}/"
    theirs = {
        key.removeprefix(prefix): value
        for key, value in elsewhere.items()
        if key.startswith(prefix)
    }
    mine = first[case]
    assert list(mine) == list(again[case]) == list(theirs)
    for other in (again[case], theirs):
        unlike = [k for k in mine if not np.array_equal(mine[k], other[k])]
        assert not unlike


def test_another_seed_gives_another_run(runs):
    """Else it would show nothing that all runs are alike."""
    mine, other = runs[0]["alternating, eager"], run("alternating", "eager", 8)
    assert not np.array_equal(mine["generator_loss"], other["generator_loss"])


if __name__ == "__main__":
    play_all(sys.argv[1])
