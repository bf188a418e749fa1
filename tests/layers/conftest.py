"""Proofs that many layers need."""

import keras
import numpy as np
import pytest
from engines import array, slopes, tensor, values_only as values_only
from keras import ops

from adversarial import backend

STEP = 1e-6
"""Of central differences in double precision: the error of the formula is
about its square, that of rounding about 1e-16 over it."""
TOLERANCE = 1e-7


@pytest.fixture
def check_derivatives():
    """Compares all gradients of a layer with central differences.

    The map is from float inputs and trainable variables to a random weighted
    sum of the sines of the outputs.
    """

    def check(layer, inputs, constants=(), **kwargs):
        rng = np.random.default_rng(8)
        call = lambda x: layer([x, *constants] if constants else x, **kwargs)  # noqa: E731
        weights = tensor(rng.normal(size=call(inputs).shape))
        variables = layer.trainable_variables

        def value(x, values):
            with keras.StatelessScope(
                list(zip(variables, values, strict=True))
            ):
                return ops.sum(ops.sin(call(x)) * weights)

        points = [ops.convert_to_tensor(inputs)]
        points += [backend.read(v) for v in variables]
        gradients = slopes(lambda x, *rest: value(x, rest), *points)
        for i, gradient in enumerate(gradients):
            way = rng.normal(size=points[i].shape)

            def moved(h, i=i, way=tensor(way)):  # noqa: B008
                at = [*points[:i], points[i] + h * way, *points[i + 1 :]]
                return array(value(at[0], at[1:]))

            found = (gradient * way).sum()
            expected = (moved(STEP) - moved(-STEP)) / (2 * STEP)
            np.testing.assert_allclose(
                found, expected, rtol=TOLERANCE, atol=TOLERANCE
            )

    return check


@pytest.fixture
def saved(tmp_path):
    """Saves a model and loads it again."""

    def save(model):
        model.save(tmp_path / "model.keras")
        return keras.saving.load_model(tmp_path / "model.keras")

    return save


@pytest.fixture
def remade():
    """Writes the config of a layer and makes another of it."""

    def remake(layer):
        config = keras.saving.serialize_keras_object(layer)
        copy = keras.saving.deserialize_keras_object(config)
        assert type(copy) is type(layer)
        assert copy.get_config() == layer.get_config()
        return copy

    return remake
