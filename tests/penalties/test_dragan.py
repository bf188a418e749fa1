import keras
import numpy as np
import pytest

from adversarial.penalties import DRAGAN


def draws(x, seed=4):
    """What a fresh layer with this seed draws first: u, then d."""
    generator = keras.random.SeedGenerator(seed)
    u, d = (
        np.asarray(keras.random.uniform(s, dtype="float64", seed=generator))
        for s in ((len(x),), x.shape)
    )
    return u[:, None, None, None], d


def squares(critic, m, target=1.0):
    return lambda weights: (critic.norms(weights, m) - target) ** 2


def moved(x, strength=0.5):
    u, d = draws(x)
    return x + u * strength * x.std() * d


@pytest.mark.parametrize(("target", "strength"), [(1.0, 0.5), (0.3, 2.0)])
def test_values_and_gradients_are_those_of_each_sample_alone(
    target, strength, critics, samples, agrees
):
    network, critic = critics()
    x = 3.0 + samples(0)
    layer = DRAGAN(network, target, strength, seed=4)
    agrees(layer, x, squares(critic, moved(x, strength), target))


def test_without_strength_it_stays_at_the_samples(critics, samples, agrees):
    network, critic = critics()
    x = samples(0)
    agrees(DRAGAN(network, strength=0.0), x, squares(critic, x))


def one_norm_for_the_batch(critic, x):
    def formula(weights):
        norm = np.sqrt((critic.slopes(weights, moved(x)) ** 2).sum())
        return np.full(len(x), (norm - 1) ** 2)

    return formula


def one_number_for_the_batch(critic, x):
    u, d = draws(x)
    return squares(critic, x + u[0] * 0.5 * x.std() * d)


def deviation_of_each_sample(critic, x):
    u, d = draws(x)
    s = x.std(axis=(1, 2, 3), keepdims=True)
    return squares(critic, x + u * 0.5 * s * d)


@pytest.mark.parametrize(
    "faulty",
    [
        one_norm_for_the_batch,
        one_number_for_the_batch,
        deviation_of_each_sample,
    ],
)
def test_a_faulty_formula_is_told_apart(faulty, critics, samples, tells_apart):
    network, critic = critics()
    x = samples(0)
    tells_apart(DRAGAN(network, seed=4), x, faulty(critic, x))


def test_samples_that_are_all_alike_stay_where_they_are():
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    found = DRAGAN(network)(np.ones((4, 3), "float32"))
    norm = np.linalg.norm(network.layers[0].kernel.numpy())
    np.testing.assert_allclose(found, np.full(4, (norm - 1) ** 2), rtol=1e-5)


@pytest.mark.parametrize("argument", ["target", "strength"])
def test_a_negative_number_is_refused(argument):
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match=f"`{argument}` is out of range"):
        DRAGAN(network, **{argument: -1.0})


def test_it_reads_real_samples():
    assert DRAGAN.reads == "real"
