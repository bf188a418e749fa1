"""What the tests of several diagnostics share."""

import contextlib

import keras
import numpy as np
import pytest
from engines import TRACED

import adversarial
from adversarial.backend.random_state import global_random_state
from adversarial.games.quadratic import of_scalars

BATCH = 16


def everything_of(model):
    """All variables there are, and NumPy's random state."""
    variables = [
        *model.variables,
        *model.optimizer.variables,
        *(v for m in model.metrics for v in m.variables),
        global_random_state(),
    ]
    arrays = {f"{i} {v.path}": np.array(v) for i, v in enumerate(variables)}
    return {**arrays, "numpy": np.random.get_state()[1]}


@pytest.fixture
def untouched():
    """Makes a context in which a model must not change at all."""

    @contextlib.contextmanager
    def context(model):
        before = everything_of(model)
        results = {k: float(v) for k, v in model.get_metrics_result().items()}
        yield
        after = everything_of(model)
        assert before.keys() == after.keys()
        for name, value in before.items():
            np.testing.assert_array_equal(value, after[name], err_msg=name)
        assert results == {
            k: float(v) for k, v in model.get_metrics_result().items()
        }

    return context


@pytest.fixture
def gan_batch():
    x = np.random.default_rng(3).normal(1, size=(BATCH, 3)).astype("float32")
    return x, adversarial.builders.gan_targets(BATCH)


@pytest.fixture
def trained_gan(small_gan, gan_batch):
    """A small GAN in the middle of its training."""
    model = small_gan()
    model.compile(
        "alternating",
        "adam",
        keras.losses.BinaryCrossentropy(from_logits=True),
        metrics="mae",
        jit_compile=TRACED,
    )
    model.train_on_batch(*gan_batch)
    return model


@pytest.fixture
def playing():
    """Compiles a quadratic game."""

    def compiled(game, **kwargs):
        return game.compiled(
            "simultaneous", "sgd", jit_compile=TRACED, **kwargs
        )

    return compiled


@pytest.fixture
def linear(quadratic):
    """Makes a game of one number per player with a given Jacobian.

    Player i's loss has row i of it, at rest in the origin.
    """

    def make(jacobian):
        jacobian = np.asarray(jacobian, "float64")
        n = len(jacobian)
        game = quadratic([1] * n)
        game.matrices, game.vectors = of_scalars(jacobian), np.zeros((n, n))
        return game

    return make
