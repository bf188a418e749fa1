import math

import keras
import numpy as np
import pytest
from engines import learning

from adversarial.layers import EqualizedLearningRate

L = keras.layers
ROUNDING = 1e-5
KINDS = [
    (lambda: L.Dense(64), (None, 50), 50),
    (lambda: L.Conv1D(64, 5), (None, 9, 10), 50),
    (lambda: L.Conv2D(64, (2, 5)), (None, 9, 9, 6), 60),
    (lambda: L.Conv2D(64, 3, groups=2), (None, 9, 9, 12), 54),
    (lambda: L.Conv3D(64, 2), (None, 9, 9, 9, 6), 48),
    (lambda: L.Conv2DTranspose(64, 3), (None, 9, 9, 6), 54),
    (lambda: L.DepthwiseConv2D(3, depth_multiplier=8), (None, 9, 9, 64), 9),
    (lambda: L.Embedding(50, 64), (None,), 1),
]
each_kind = pytest.mark.parametrize(
    "make, shape, inputs", KINDS, ids=[k[0]().name for k in KINDS]
)


@each_kind
def test_the_kernel_is_drawn_from_a_unit_normal_and_scaled(make, shape, inputs):
    layer = EqualizedLearningRate(make(), gain=1.5)
    layer.build(shape)
    stored = layer.kernel.numpy()
    # Of 3000 draws or more the moments are off by 5 standard errors at most.
    slack = 5 / math.sqrt(stored.size)
    assert stored.size > 3000
    assert abs(stored.mean()) < slack
    assert abs(stored.var() - 1) < slack * math.sqrt(2)
    np.testing.assert_allclose(
        layer.effective_kernel(),
        stored * 1.5 / math.sqrt(inputs),
        rtol=ROUNDING,
    )


def test_the_gain_is_that_of_he_unless_told():
    layer = EqualizedLearningRate(L.Dense(4))
    layer.build((None, 8))
    assert layer.scale == math.sqrt(2 / 8)


def test_the_layer_computes_with_the_scaled_kernel_and_the_whole_bias():
    dense = L.Dense(3, bias_initializer="ones")
    layer = EqualizedLearningRate(dense, gain=2.0)
    x = np.random.default_rng(0).normal(size=(4, 16)).astype("float32")
    expected = x @ (dense_kernel(layer, x) * 0.5) + 1
    np.testing.assert_allclose(layer(x), expected, atol=ROUNDING)


def dense_kernel(layer, x):
    layer(x)
    return layer.kernel.numpy()


def test_the_gradient_equals_finite_differences(check_derivatives):
    layer = EqualizedLearningRate(L.Conv2D(3, 2, dtype="float64"))
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 2))
    check_derivatives(layer, x)


def test_adam_moves_every_effective_kernel_by_the_same_part():
    # One step of Adam moves each weight by the rate, whatever the gradient:
    # relative to its size by the rate, in layers of all widths.
    layers = [EqualizedLearningRate(L.Dense(1), gain=1.0) for _ in range(2)]
    for layer, width in zip(layers, (4, 400), strict=True):
        model = keras.Sequential([keras.Input((width,)), layer])
        model.compile(keras.optimizers.Adam(0.01), "mse")
        before = np.asarray(layer.effective_kernel())
        with learning():
            model.train_on_batch(np.ones((2, width)), 100 * np.ones((2, 1)))
        moved = np.abs(np.asarray(layer.effective_kernel()) - before)
        np.testing.assert_allclose(moved * math.sqrt(width), 0.01, rtol=1e-3)


def test_a_saved_model_computes_the_same(saved):
    inputs = keras.Input((6, 6, 2))
    layer = EqualizedLearningRate(L.Conv2D(3, 2), 1.0)
    model = keras.Model(inputs, layer(inputs))
    copy = saved(model)
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 2)).astype("float32")
    np.testing.assert_array_equal(copy(x), model(x))


def test_a_config_remakes_the_layer(remade):
    layer = EqualizedLearningRate(L.Dense(3, name="inside"), 0.7, name="out")
    copy = remade(layer)
    assert (copy.gain, copy.layer.name) == (0.7, "inside")


def test_another_initializer_is_an_error():
    with pytest.raises(ValueError, match=r"draws the kernel from N\(0, 1\)"):
        EqualizedLearningRate(L.Dense(3, kernel_initializer="zeros"))


def test_a_built_layer_is_an_error():
    dense = L.Dense(3)
    dense.build((None, 4))
    with pytest.raises(ValueError, match="before it is built"):
        EqualizedLearningRate(dense)


@pytest.mark.parametrize("gain", [0, -1.0, float("nan")])
def test_a_gain_that_is_not_positive_is_an_error(gain):
    with pytest.raises(ValueError, match="`gain` must be a finite number"):
        EqualizedLearningRate(L.Dense(3), gain)
