import keras
import numpy as np
import pytest

from adversarial.penalties import MaxGradientPenalty


def mixed(x, g, seed=4):
    generator = keras.random.SeedGenerator(seed)
    u = keras.random.uniform((len(x),), dtype="float64", seed=generator)
    return x + np.asarray(u)[:, None, None, None] * (g - x)


def largest(critic, m):
    def formula(weights):
        return np.full(len(m), (critic.norms(weights, m) ** 2).max())

    return formula


@pytest.mark.parametrize("activation", ["tanh", "leaky_relu"])
def test_values_and_gradients_are_those_of_the_steepest_sample(
    activation, critics, samples, agrees
):
    network, critic = critics(activation)
    x, g = samples(0), samples(1)
    layer = MaxGradientPenalty(network, seed=4)
    agrees(layer, [x, g], largest(critic, mixed(x, g)))


def each_sample(critic, m):
    return lambda weights: critic.norms(weights, m) ** 2


def not_squared(critic, m):
    return lambda weights: np.sqrt(largest(critic, m)(weights))


def at_one_place_only(critic, m):
    """All to the steepest sample, so that the mean is smaller."""

    def formula(weights):
        norms = critic.norms(weights, m)
        return np.where(norms == norms.max(), norms**2, 0)

    return formula


@pytest.mark.parametrize(
    "faulty", [each_sample, not_squared, at_one_place_only]
)
def test_a_faulty_formula_is_told_apart(faulty, critics, samples, tells_apart):
    network, critic = critics()
    x, g = samples(0), samples(1)
    layer = MaxGradientPenalty(network, seed=4)
    tells_apart(layer, [x, g], faulty(critic, mixed(x, g)))


def test_what_is_no_pair_is_refused():
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="real and fake samples of one shape"):
        MaxGradientPenalty(network)(np.zeros((4, 3)))


def test_it_reads_both():
    assert MaxGradientPenalty.reads == "both"
