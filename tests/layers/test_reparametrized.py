"""What holds for every wrapper that computes with a function of a kernel."""

import keras
import numpy as np
import pytest
from engines import array, dtype_of

from adversarial.layers.reparametrized import Reparametrized

ROUNDING = 1e-6
"""Of sums of a few dozen products of numbers near 1 in single precision."""


class Doubled(Reparametrized):
    """Computes with twice the kernel."""

    def effective(self, kernel, training):
        return 2 * kernel


class Counting(keras.layers.Dense):
    """A dense layer with state that changes at every call."""

    def build(self, input_shape):
        super().build(input_shape)
        self.calls = self.add_weight(
            name="calls", initializer="zeros", shape=(), trainable=False
        )

    def call(self, inputs, training=None):
        self.calls.assign_add(1.0)
        return super().call(inputs)


def numbers(*shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape).astype("float32")


def test_the_layer_computes_with_the_effective_kernel_and_its_own_bias():
    dense = keras.layers.Dense(3, bias_initializer="ones")
    x = numbers(4, 5)
    y = Doubled(dense)(x)
    expected = x @ (2 * dense.kernel.numpy()) + 1
    np.testing.assert_allclose(y, expected, atol=ROUNDING)


def test_the_stored_kernel_is_not_written():
    layer = Doubled(keras.layers.Dense(3))
    layer.build((None, 5))
    before = layer.kernel.numpy()
    layer(numbers(4, 5), training=True)
    np.testing.assert_array_equal(layer.kernel, before)
    np.testing.assert_array_equal(layer.effective_kernel(), 2 * before)


def test_values_that_a_scope_around_it_gives_are_used():
    # A scope inside another hides it, and with it the values of the bias.
    dense = keras.layers.Dense(3)
    layer = Doubled(dense)
    layer.build((None, 5))
    x, kernel, bias = numbers(4, 5), numbers(5, 3, seed=1), numbers(3, seed=2)
    values = [(dense.kernel, kernel), (dense.bias, bias)]
    with keras.StatelessScope(values):
        y = layer(x)
    np.testing.assert_allclose(y, x @ (2 * kernel) + bias, atol=1e-5)


def test_state_that_changes_inside_is_not_lost():
    layer = Doubled(Counting(3))
    layer.build((None, 5))
    layer(numbers(4, 5))
    layer(numbers(4, 5))
    assert layer.layer.calls.numpy() == 2
    with keras.StatelessScope() as scope:
        layer(numbers(4, 5))
        layer(numbers(4, 5))
    assert scope.get_current_value(layer.layer.calls) == 4
    assert layer.layer.calls.numpy() == 2


def test_losses_that_are_added_inside_are_not_lost():
    layer = Doubled(keras.layers.Dense(3, activity_regularizer="l2"))
    x = numbers(4, 5)
    y = array(layer(x))
    (loss,) = layer.losses
    # Keras' "l2" is 0.01 times the sum of squares, here per sample.
    np.testing.assert_allclose(loss, 0.01 * (y**2).sum() / 4, rtol=1e-5)
    with keras.StatelessScope(collect_losses=True) as scope:
        layer(x)
        assert len(layer.losses) == 1
    np.testing.assert_allclose(scope.losses, [loss], rtol=1e-6)


def test_a_regularizer_sees_the_stored_kernel():
    layer = Doubled(keras.layers.Dense(3, kernel_regularizer="l2"))
    layer.build((None, 5))
    expected = 0.01 * (layer.kernel.numpy() ** 2).sum()
    np.testing.assert_allclose(layer.losses, [expected], rtol=1e-6)


def test_a_kernel_is_read_in_full_precision_under_mixed_precision():
    seen = []

    class Noting(Doubled):
        def effective(self, kernel, training):
            seen.append(keras.backend.standardize_dtype(kernel.dtype))
            return kernel

    inner = Noting(keras.layers.Dense(3, dtype="mixed_bfloat16"))
    model = keras.Sequential([keras.Input((5,)), inner])
    assert dtype_of(model(numbers(4, 5))) == "bfloat16"

    class Around(keras.layers.Layer):
        def __init__(self):
            super().__init__(dtype="mixed_bfloat16")
            self.inner = Noting(keras.layers.Dense(3, dtype="mixed_bfloat16"))

        def build(self, input_shape):
            self.inner.build(input_shape)

        def call(self, x):
            return self.inner(x)

    assert dtype_of(Around()(numbers(4, 5))) == "bfloat16"
    assert set(seen) == {"float32"}


def test_a_global_policy_does_not_round_the_kernel_either():
    seen = []

    class Noting(Doubled):
        def effective(self, kernel, training):
            seen.append(keras.backend.standardize_dtype(kernel.dtype))
            return kernel

    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        y = Noting(keras.layers.Dense(3))(numbers(4, 5))
    finally:
        keras.config.set_dtype_policy("float32")
    assert dtype_of(y) == "bfloat16"
    assert seen == ["float32"]


def test_inputs_pass_to_the_layer_as_they_are():
    seen = []

    class Noting(keras.layers.Dense):
        def call(self, inputs, training=None):
            seen.append(keras.backend.standardize_dtype(inputs.dtype))
            return super().call(inputs)

    layer = Doubled(Noting(3, autocast=False))
    layer(keras.ops.cast(numbers(4, 5), "bfloat16"))
    assert set(seen) == {"bfloat16"}


def test_integers_go_in_and_numbers_come_out_of_an_embedding():
    # `keras.layers.SpectralNormalization` casts the output to integers.
    layer = Doubled(keras.layers.Embedding(5, 3))
    y = layer(np.array([0, 4]))
    assert dtype_of(y) == "float32"
    expected = 2 * layer.kernel.numpy()[[0, 4]]
    np.testing.assert_array_equal(y, expected)


def test_a_mask_is_passed_on():
    layer = Doubled(keras.layers.Embedding(5, 3, mask_zero=True))
    y = layer(np.array([[1, 0, 2]]))
    np.testing.assert_array_equal(y._keras_mask, [[True, False, True]])


def test_a_symbolic_call_knows_shape_and_dtype():
    layer = Doubled(keras.layers.Conv2D(3, 3, dtype="mixed_bfloat16"))
    y = layer(keras.Input((None, 8, 2)))
    assert y.shape == (None, None, 6, 3)
    assert dtype_of(y) == "bfloat16"
    assert layer.compute_output_shape((2, 5, 5, 2)) == (2, 3, 3, 3)


MATRICES = [
    (keras.layers.Dense(4), (None, 3), (3, 4)),
    (keras.layers.Embedding(6, 4), (None,), (6, 4)),
    (keras.layers.Conv1D(4, 5), (None, 9, 3), (15, 4)),
    (keras.layers.Conv2D(4, (2, 3)), (None, 9, 9, 3), (18, 4)),
    (keras.layers.Conv2D(4, 3, groups=2), (None, 9, 9, 6), (27, 4)),
    (keras.layers.Conv3D(4, 2), (None, 9, 9, 9, 3), (24, 4)),
    (keras.layers.Conv1DTranspose(4, 5), (None, 9, 3), (15, 4)),
    (keras.layers.Conv2DTranspose(4, (2, 3)), (None, 9, 9, 3), (18, 4)),
    (keras.layers.Conv3DTranspose(4, 2), (None, 9, 9, 9, 3), (24, 4)),
    (keras.layers.DepthwiseConv2D(2, depth_multiplier=2), (None, 9, 9, 3), 0),
]


@pytest.mark.parametrize(
    "layer, inputs, shape", MATRICES, ids=lambda x: getattr(x, "name", "")
)
def test_a_matrix_has_one_column_per_output_channel(layer, inputs, shape):
    config = keras.saving.serialize_keras_object(layer)
    wrapped = Doubled(keras.saving.deserialize_keras_object(config))
    wrapped.build(inputs)
    kernel = wrapped.kernel.numpy()
    found = np.asarray(wrapped.as_matrix(wrapped.kernel))
    if isinstance(layer, keras.layers.Conv2DTranspose):
        # Outputs come before inputs in the kernel of a transposed one.
        rows = [kernel[..., c, :].ravel() for c in range(4)]
        assert kernel.shape == (2, 3, 4, 3)
        np.testing.assert_array_equal(found, np.stack(rows, axis=1))
    elif isinstance(layer, keras.layers.DepthwiseConv2D):
        rows = [kernel[..., i, j].ravel() for i in range(3) for j in range(2)]
        np.testing.assert_array_equal(found, np.stack(rows, axis=1))
    elif not isinstance(layer, keras.layers.Conv3DTranspose):
        if "transpose" not in layer.name:
            rows = [kernel[..., c].ravel() for c in range(4)]
            np.testing.assert_array_equal(found, np.stack(rows, axis=1))
    assert found.shape == (shape or (4, 6))
    assert wrapped.columns == found.shape[1]


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.LSTM(3),
        keras.layers.SeparableConv2D(3, 3),
        keras.layers.ReLU(),
        "dense",
    ],
    ids=["recurrent", "separable", "no kernel", "no layer"],
)
def test_a_layer_without_one_kernel_is_an_error(layer):
    with pytest.raises(TypeError, match="`Doubled` wraps a layer with one"):
        Doubled(layer)


def test_a_dtype_beside_that_of_the_layer_is_an_error():
    with pytest.raises(ValueError, match="precision of its layer"):
        Doubled(keras.layers.Dense(3), dtype="float64")


def test_a_kernel_that_is_made_of_others_is_an_error():
    layer = Doubled(keras.layers.Dense(3, lora_rank=1))
    with pytest.raises(ValueError, match="must be one variable"):
        layer(numbers(4, 5))
