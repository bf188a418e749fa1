import keras
import numpy as np
import pytest

import adversarial
from adversarial.layers import ConditionalBatchNormalization

ROUNDING = 1e-5
RNG = np.random.default_rng(0)
X = RNG.normal(2.0, 3.0, size=(6, 4, 4, 3)).astype("float32")
C = np.array([0, 3, 1, 3, 2, 2])


def made(**kwargs):
    layer = ConditionalBatchNormalization(4, **kwargs)
    layer([X, C])
    layer.gamma.assign(RNG.normal(size=layer.gamma.shape))
    layer.beta.assign(RNG.normal(size=layer.beta.shape))
    return layer


@pytest.mark.parametrize("axis", [-1, 1])
def test_it_is_the_formula_in_training(axis):
    layer = made(axis=axis, epsilon=0.01)
    others = tuple(i for i in range(4) if i != axis % 4)
    mean = X.mean(axis=others, keepdims=True)
    variance = X.var(axis=others, keepdims=True)
    y = (X - mean) / np.sqrt(variance + 0.01)
    found = layer([X, C], training=True)
    for i, c in enumerate(C):
        shape = (3, 1, 1)[::-1] if axis == -1 else (4, 1, 1)
        shape = (1, 1, 3) if axis == -1 else shape
        gamma = layer.gamma.numpy()[c].reshape(shape)
        beta = layer.beta.numpy()[c].reshape(shape)
        np.testing.assert_allclose(found[i], gamma * y[i] + beta, atol=ROUNDING)


def test_inference_uses_the_moving_statistics():
    layer = made(momentum=0.5)
    layer([X, C], training=True)
    # Keras' rule from the start 0 and 1 with momentum 0.5.
    mean = 0.5 * X.mean(axis=(0, 1, 2))
    variance = 0.5 + 0.5 * X.var(axis=(0, 1, 2))
    y = (X - mean) / np.sqrt(variance + 1e-3)
    gamma, beta = layer.gamma.numpy()[C], layer.beta.numpy()[C]
    expected = gamma[:, None, None] * y + beta[:, None, None]
    np.testing.assert_allclose(layer([X, C]), expected, atol=ROUNDING)


def test_at_the_start_it_is_plain_batch_normalisation():
    plain = keras.layers.BatchNormalization()
    layer = ConditionalBatchNormalization(4)
    found = layer([X, C], training=True)
    np.testing.assert_allclose(found, plain(X, training=True), atol=ROUNDING)


def test_the_gradient_equals_finite_differences(check_derivatives):
    layer = ConditionalBatchNormalization(4, dtype="float64")
    x = X.astype("float64")
    check_derivatives(layer, x, [C], training=True)
    check_derivatives(layer, x, [C], training=False)


def test_its_statistics_belong_to_the_player_of_its_tables():
    z, c = keras.Input((3,)), keras.Input((), dtype="int32")
    layer = ConditionalBatchNormalization(4)
    generator = keras.Model([z, c], layer([z, c]), name="generator")
    x = keras.Input((3,))
    discriminator = keras.Model(x, keras.layers.Dense(1)(x))
    model = adversarial.AdversarialModel(
        base_model=keras.Model([z, c], discriminator(generator([z, c]))),
        player_params={"generator": generator, "discriminator": discriminator},
    )
    state = {v.path.split("/")[-1] for v in model.players["generator"].state}
    assert state == {"moving_mean", "moving_variance"}
    assert model.players["discriminator"].state == ()


def test_a_saved_model_computes_the_same(saved):
    x, c = keras.Input((4, 4, 3)), keras.Input((), dtype="int32")
    layer = made()
    model = keras.Model([x, c], layer([x, c]))
    assert model.output_shape == (None, 4, 4, 3)
    layer([X, C], training=True)
    np.testing.assert_array_equal(saved(model)([X, C]), model([X, C]))


def test_a_config_remakes_the_layer(remade):
    layer = ConditionalBatchNormalization(4, 1, 0.5, 0.01, name="cbn")
    copy = remade(layer)
    assert (copy.classes, copy.axis) == (4, 1)
    assert (copy.momentum, copy.epsilon) == (0.5, 0.01)
