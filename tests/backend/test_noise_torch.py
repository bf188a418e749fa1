"""Dropout without a seed on PyTorch."""

import keras
import numpy as np
import torch
from keras.src.backend.torch import random

from adversarial import backend
from adversarial.backend import noise_torch

X = np.ones((40, 50), "float32")


def drawn(layer, values):
    with keras.StatelessScope(values):
        return keras.ops.convert_to_numpy(layer(X, training=True))


def test_evaluations_from_one_state_see_the_same_noise():
    layer = keras.layers.Dropout(0.5)
    values = [(v, backend.read(v)) for v in layer.variables]
    np.testing.assert_array_equal(drawn(layer, values), drawn(layer, values))
    # As Keras has it, PyTorch draws, which knows of no such state.
    both = [
        noise_torch._of_keras(
            torch.from_numpy(X), 0.5, None, layer.seed_generator
        )
        for _ in range(2)
    ]
    assert not torch.equal(*both)


def test_the_state_moves_on():
    layer = keras.layers.Dropout(0.5)
    one, two = layer(X, training=True), layer(X, training=True)
    assert not torch.equal(one, two)


def test_it_is_dropout():
    found = keras.layers.Dropout(0.25)(X, training=True).numpy()
    assert set(np.unique(found)) == {0.0, np.float32(1 / 0.75)}
    # The share that is kept, within 5 standard deviations.
    share = (found > 0).mean()
    assert abs(share - 0.75) < 5 * np.sqrt(0.75 * 0.25 / X.size)


def test_pytorch_is_not_asked():
    before = torch.random.get_rng_state()
    keras.layers.Dropout(0.5)(X, training=True)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_keras_calls_it_by_this_name():
    assert random.dropout is noise_torch.dropout
    assert keras.src.backend.random is random
