import keras
import numpy as np
import pytest

from adversarial.backend.random_state import (
    global_random_state,
    is_random_state,
)
from adversarial.layers import NormalLatent

SAMPLES = np.zeros((2, 3), "float32")


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Dropout(0.5),
        keras.layers.GaussianNoise(0.5, seed=1),
        NormalLatent(3),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_the_state_of_a_random_layer_is_recognised(layer):
    layer(SAMPLES)
    (state,) = layer.variables
    assert is_random_state(state)


def test_a_named_seed_generator_is_recognised():
    assert is_random_state(keras.random.SeedGenerator(0, name="mine").state)


def test_weights_and_statistics_are_not_random_state():
    layers = [keras.layers.Dense(2), keras.layers.BatchNormalization()]
    for layer in layers:
        layer(SAMPLES)
        assert layer.variables
        assert not any(map(is_random_state, layer.variables))


def test_numbers_drawn_without_a_seed_come_from_the_global_state():
    state = global_random_state()
    assert is_random_state(state)
    before = state.numpy()
    keras.random.normal((2,))
    assert global_random_state() is state
    assert np.any(state.numpy() != before)
    before = state.numpy()
    keras.random.normal((2,), seed=keras.random.SeedGenerator(0))
    np.testing.assert_array_equal(state.numpy(), before)
