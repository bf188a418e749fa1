import keras
import numpy as np
import pytest
from engines import array, dtype_of, slopes, tensor
from keras import ops

from adversarial.layers import PixelNormalization

ROUNDING = 1e-6


def numbers(*shape):
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize("axis", [-1, 1])
def test_it_is_the_formula(axis):
    x = numbers(2, 3, 4, 5).astype("float32")
    expected = x / np.sqrt((x**2).mean(axis=axis, keepdims=True) + 1e-8)
    found = PixelNormalization(axis=axis)(x)
    np.testing.assert_allclose(found, expected, atol=ROUNDING)
    np.testing.assert_allclose(
        (array(found) ** 2).mean(axis=axis), 1, atol=ROUNDING
    )


def test_a_unit_normalisation_is_something_else():
    # Keras' layer makes the sum, not the mean, of the squares 1.
    x = numbers(2, 5).astype("float32")
    unit = keras.layers.UnitNormalization()(x)
    found = PixelNormalization()(x)
    np.testing.assert_allclose(found, array(unit) * np.sqrt(5), rtol=1e-5)


def test_the_gradient_equals_finite_differences():
    layer = PixelNormalization(dtype="float64")
    x, way, h = numbers(3, 4), numbers(3, 4)[::-1], 1e-6
    weights = tensor(np.arange(12.0).reshape(3, 4))

    def value(x):
        return ops.sum(layer(x) * weights)

    found = (slopes(value, x)[0] * way).sum()
    expected = (value(x + h * way) - value(x - h * way)) / (2 * h)
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_zeros_stay_zeros_with_a_finite_gradient():
    x, layer = np.zeros((2, 3), "float32"), PixelNormalization()
    np.testing.assert_array_equal(layer(x), np.zeros((2, 3)))
    (slope,) = slopes(lambda x: ops.sum(layer(x)), x)
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("size", [1e-3, 300.0])
def test_half_precision_neither_overflows_nor_loses_epsilon(size):
    x = np.full((1, 4), size, "float16")
    y = PixelNormalization(dtype="mixed_float16")(x)
    assert dtype_of(y) == "float16"
    np.testing.assert_allclose(y, np.ones((1, 4)), atol=0.01)


def test_a_config_remakes_the_layer():
    layer = PixelNormalization(1, 1e-5, name="p")
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    assert copy.get_config() == layer.get_config()
    assert (copy.axis, copy.epsilon) == (1, 1e-5)


def test_an_epsilon_of_0_is_an_error():
    with pytest.raises(ValueError, match="`epsilon` must be a finite number"):
        PixelNormalization(epsilon=0)
