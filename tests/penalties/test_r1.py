import keras
import numpy as np
import pytest
from engines import dtype_of

from adversarial.penalties import R1

CLOSE = 1e-5
"""Relative, float32 against float64."""


def half_squares(critic, x):
    return lambda weights: 0.5 * (critic.slopes(weights, x) ** 2).sum(axis=1)


@pytest.mark.parametrize("patches", [False, True], ids=["score", "patches"])
@pytest.mark.parametrize("activation", ["tanh", "leaky_relu"])
def test_values_and_gradients_are_those_of_each_sample_alone(
    activation, patches, critics, samples, agrees
):
    network, critic = critics(activation, patches=patches)
    x = samples(0)
    agrees(R1(network), x, half_squares(critic, x))


def test_in_float32_it_is_the_same_to_1e_5(critics, samples):
    network, critic = critics("leaky_relu", dtype="float32")
    x = samples(0, dtype="float32")
    weights = [np.float64(v.numpy()) for v in network.trainable_variables]
    expected = half_squares(critic, np.float64(x))(weights)
    found = R1(network)(x)
    assert dtype_of(found) == "float32"
    np.testing.assert_allclose(found, expected, rtol=CLOSE)


def whole_batch(critic, x):
    """The norm of the gradient of all samples together."""

    def formula(weights):
        total = (critic.slopes(weights, x) ** 2).sum()
        return np.full(len(x), 0.5 * total)

    return formula


def of_the_mean_score(critic, x):
    """The gradient of the batch's mean score, smaller by the batch size."""
    return lambda weights: half_squares(critic, x)(weights) / len(x) ** 2


def without_the_half(critic, x):
    return lambda weights: 2 * half_squares(critic, x)(weights)


@pytest.mark.parametrize(
    "faulty", [whole_batch, of_the_mean_score, without_the_half]
)
def test_a_faulty_formula_is_told_apart(faulty, critics, samples, tells_apart):
    network, critic = critics()
    x = samples(0)
    tells_apart(R1(network), x, faulty(critic, x))


class Detached(R1):
    """What a penalty is that was computed outside of the tape."""

    def penalty(self, samples, network, training):
        found = super().penalty(samples, network, training)
        return keras.ops.stop_gradient(found)


def test_a_detached_penalty_is_told_apart(critics, samples, tells_apart):
    network, critic = critics()
    x = samples(0)
    tells_apart(Detached(network), x, half_squares(critic, x))


def test_a_critic_that_does_not_look_has_no_slope(samples):
    x = keras.Input((3,))
    network = keras.Model(x, keras.layers.Dense(1)(keras.ops.zeros_like(x)))
    found = R1(network)(np.ones((4, 3), "float32"))
    np.testing.assert_array_equal(found, np.zeros(4))


@pytest.mark.parametrize("shape", [(), (5,), (4, 3), (2, 3, 4, 2)])
def test_samples_may_have_any_rank(shape):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, *shape)).astype("float32")
    inputs = keras.Input(shape)
    flat = keras.layers.Reshape((-1,))(inputs**2)
    network = keras.Model(inputs, keras.ops.sum(flat, axis=-1))
    expected = 2 * (x**2).reshape(6, -1).sum(axis=1)
    np.testing.assert_allclose(R1(network)(x), expected, rtol=CLOSE)


def test_it_reads_real_samples():
    assert R1.reads == "real"
