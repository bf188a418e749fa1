import random

import keras
import numpy as np
import pytest
from engines import array

from adversarial.backend.random_state import global_random_state
from adversarial.callbacks.fixed_noise import fixed_noise


def drawn(*layers):
    """A number from each source."""
    zeros = np.zeros((1, 1), "float32")
    return [
        random.random(),
        float(np.random.normal()),
        float(keras.random.normal(())),
        *(float(array(layer(zeros, training=True)).sum()) for layer in layers),
    ]


def test_numbers_after_it_are_those_that_would_have_come_without_it():
    found = []
    for look in (False, True):
        keras.utils.set_random_seed(4)
        layer = keras.layers.GaussianNoise(1.0, seed=3)
        start = drawn(layer)
        if look:
            with fixed_noise(0, layer.variables):
                drawn(layer, layer)
        found.append([start, drawn(layer)])
    assert found[0] == found[1]


def test_numbers_inside_depend_on_the_seed_alone():
    layers = [keras.layers.GaussianNoise(1.0, seed=s) for s in (3, 9)]
    variables = [v for layer in layers for v in layer.variables]
    found = []
    for seed in (5, 5, 6):
        drawn(*layers)
        with fixed_noise(seed, variables):
            found.append(drawn(*layers))
    assert found[0] == found[1]
    assert not set(found[0]) & set(found[2])
    assert len(set(found[0])) == len(found[0]), "sources repeat each other"


def test_a_layer_that_is_not_named_draws_on():
    layer = keras.layers.GaussianNoise(1.0, seed=3)
    found = []
    for _ in range(2):
        with fixed_noise(0):
            found.append(drawn(layer)[-1])
    assert found[0] != found[1]


def test_an_error_inside_puts_the_state_back_too():
    layer = keras.layers.GaussianNoise(1.0, seed=3)
    state = [*layer.variables, global_random_state()]
    before = [np.array(v) for v in state]
    python, legacy = random.getstate(), np.random.get_state()[1].copy()
    with pytest.raises(KeyboardInterrupt), fixed_noise(0, layer.variables):
        drawn(layer)
        raise KeyboardInterrupt
    for old, new in zip(before, state, strict=True):
        np.testing.assert_array_equal(old, new)
    assert random.getstate() == python
    np.testing.assert_array_equal(np.random.get_state()[1], legacy)


def test_only_random_states_among_the_variables_are_touched():
    weight = keras.Variable([1.0, 2.0], name="weight")
    with fixed_noise(0, [weight]):
        np.testing.assert_array_equal(weight, [1.0, 2.0])
