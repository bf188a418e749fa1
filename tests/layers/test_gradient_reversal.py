import keras
import numpy as np
import pytest
from engines import learning, slopes
from keras import ops

from adversarial import backend
from adversarial.layers import GradientReversal

EXACT = 1e-12
"""Of a few products in double precision."""


def numbers():
    return np.random.default_rng(0).normal(size=(6, 3)).astype("float32")


@pytest.mark.parametrize("strength", [0.0, 0.1, 1.0, 1e6])
@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
def test_the_output_is_the_input_bit_for_bit(strength, dtype):
    # `-s x + stop_gradient(x + s x)` rounds, and fails here.
    x = (numbers() * 1e-3).astype(dtype)
    largest = float(np.finfo(dtype).max)
    layer = GradientReversal(min(strength, largest / 2), dtype=dtype)
    np.testing.assert_array_equal(layer(x), x)


def test_the_form_that_rounds_is_not_exact():
    x = numbers()
    s = np.float32(0.1)
    assert np.any(-s * x + (x + s * x) != x)


@pytest.mark.parametrize("strength", [0.0, 0.3, 2.0])
def test_the_gradient_is_turned_and_scaled(strength):
    x = numbers().astype("float64")
    layer = GradientReversal(strength, dtype="float64")
    (found,) = slopes(lambda x: ops.sum(ops.sin(layer(x))), x)
    expected = -strength * np.cos(x)
    np.testing.assert_allclose(found, expected, atol=EXACT * 1e6)
    # The factor is kept in the layer's precision, here double.
    assert layer.strength.dtype == "float64"


def test_a_second_derivative_passes_the_layer_twice():
    y = numbers().astype("float64")
    layer = GradientReversal(0.5, dtype="float64")

    def cubes(x):
        return ops.sum(layer(x) ** 3)

    def slope(x):
        return ops.sum(backend.gradient(cubes, [x])[0])

    (first,), (second,) = slopes(cubes, y), slopes(slope, y)
    np.testing.assert_allclose(first, -0.5 * 3 * y**2, atol=EXACT)
    np.testing.assert_allclose(second, 0.25 * 6 * y, atol=EXACT)


def test_a_tangent_is_turned_too():
    x = ops.convert_to_tensor(numbers().astype("float64"))
    layer = GradientReversal(0.5, dtype="float64")
    (found,) = backend.jvp(lambda x: [layer(x)], [x], [ops.ones_like(x)])
    np.testing.assert_allclose(found, -0.5 * np.ones(x.shape))


def test_a_callback_schedules_the_strength_without_a_new_trace():
    layer = GradientReversal(0.0)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(
                1, use_bias=False, kernel_initializer="ones", name="features"
            ),
            layer,
        ]
    )
    model.compile(keras.optimizers.SGD(0.1), "mean_absolute_error")
    x, y = np.ones((4, 3)), np.zeros((4, 1))
    seen = []

    def begin(epoch, logs=None):
        seen.append(model.get_layer("features").kernel.numpy().sum())
        layer.strength.assign(float(epoch))

    schedule = keras.callbacks.LambdaCallback(on_epoch_begin=begin)
    with learning():
        model.fit(x, y, epochs=3, verbose=0, callbacks=[schedule])
    seen.append(model.get_layer("features").kernel.numpy().sum())
    # The gradient of |3 w| is 1 in each weight; turned, it makes them grow.
    np.testing.assert_allclose(seen, [3.0, 3.0, 3.3, 3.9], rtol=1e-6)


def test_the_strength_is_saved_and_the_config_round_trips(tmp_path):
    layer = GradientReversal(0.25, name="turn")
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    assert copy.get_config() == layer.get_config()
    assert copy.strength.numpy() == 0.25
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layer(inputs))
    layer.strength.assign(0.75)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert copy.get_layer("turn").strength.numpy() == 0.75


def test_nothing_is_trained():
    assert GradientReversal().trainable_variables == []


@pytest.mark.parametrize("strength", [-1.0, float("nan"), "1", True])
def test_a_strength_that_is_none_is_an_error(strength):
    with pytest.raises(ValueError, match="`strength` must be a finite number"):
        GradientReversal(strength)
