import keras
import numpy as np
import pytest
from engines import slopes_of

from adversarial import backend
from adversarial.penalties import GradientPenalty


def uniform(rows, seed=4):
    """What a fresh layer with this seed draws first."""
    generator = keras.random.SeedGenerator(seed)
    u = keras.random.uniform((rows,), dtype="float64", seed=generator)
    return np.asarray(u)


def normal(rows, seed=4):
    generator = keras.random.SeedGenerator(seed)
    u = keras.random.normal((rows,), dtype="float64", seed=generator)
    return np.asarray(u)


def mixed(x, g, u):
    return x + u[:, None, None, None] * (g - x)


def squares(critic, m, target=1.0, one_sided=False):
    def formula(weights):
        excess = critic.norms(weights, m) - target
        return (np.maximum(excess, 0) if one_sided else excess) ** 2

    return formula


@pytest.mark.parametrize("activation", ["tanh", "leaky_relu"])
@pytest.mark.parametrize(
    ("target", "one_sided"),
    [(1.0, False), (0.0, False), (1.25, True), (1.5, True)],
)
def test_values_and_gradients_are_those_of_each_sample_alone(
    target, one_sided, activation, critics, samples, agrees
):
    network, critic = critics(activation)
    x, g = samples(0), samples(1)
    m = mixed(x, g, uniform(len(x)))
    layer = GradientPenalty(network, target, one_sided, seed=4)
    agrees(layer, [x, g], squares(critic, m, target, one_sided))


@pytest.mark.parametrize(
    ("activation", "target"), [("tanh", 1.25), ("leaky_relu", 1.5)]
)
def test_some_slopes_are_on_either_side_of_the_one_sided_target(
    activation, target, critics, samples
):
    network, critic = critics(activation)
    x, g = samples(0), samples(1)
    weights = [v.numpy() for v in network.trainable_variables]
    norms = critic.norms(weights, mixed(x, g, uniform(len(x))))
    assert norms.min() < target < norms.max()


def one_number_for_the_batch(critic, x, g):
    return squares(critic, mixed(x, g, np.full(len(x), uniform(len(x))[0])))


def normal_numbers(critic, x, g):
    return squares(critic, mixed(x, g, normal(len(x))))


def one_norm_for_the_batch(critic, x, g):
    m = mixed(x, g, uniform(len(x)))

    def formula(weights):
        norm = np.sqrt((critic.slopes(weights, m) ** 2).sum())
        return np.full(len(x), (norm - 1) ** 2)

    return formula


def only_at_real_samples(critic, x, g):
    return squares(critic, x)


@pytest.mark.parametrize(
    "faulty",
    [
        one_number_for_the_batch,
        normal_numbers,
        one_norm_for_the_batch,
        only_at_real_samples,
    ],
)
def test_a_faulty_formula_is_told_apart(faulty, critics, samples, tells_apart):
    network, critic = critics()
    x, g = samples(0), samples(1)
    layer = GradientPenalty(network, seed=4)
    tells_apart(layer, [x, g], faulty(critic, x, g))


class Detached(GradientPenalty):
    def slopes(self, function, samples):
        found = super().slopes(function, samples)
        return [keras.ops.stop_gradient(g) for g in found]


def test_a_detached_slope_is_told_apart(critics, samples, tells_apart):
    network, critic = critics()
    x, g = samples(0), samples(1)
    m = mixed(x, g, uniform(len(x)))
    tells_apart(Detached(network, seed=4), [x, g], squares(critic, m))


class Half(keras.layers.Layer):
    """|x|^2 / 2, whose slope is x itself."""

    def call(self, x):
        return 0.5 * keras.ops.sum(x * x, axis=(1, 2))


def test_the_numbers_between_are_uniform_and_one_per_sample():
    n = 4000
    network = keras.Sequential([keras.Input((3, 2)), Half()])
    layer = GradientPenalty(network, target=0.0, seed=1)
    real, fake = np.zeros((n, 3, 2)), np.ones((n, 3, 2))
    # At u in all 6 places the slope is u sqrt(6): one u for each sample.
    u = np.sqrt(np.asarray(layer([real, fake])) / 6)
    assert len(np.unique(u)) > 0.99 * n
    assert u.min() >= 0 and u.max() < 1
    # Five standard errors of the mean and of the share below a quarter.
    assert abs(u.mean() - 0.5) < 5 * np.sqrt(1 / 12 / n)
    assert abs((u < 0.25).mean() - 0.25) < 5 * np.sqrt(0.1875 / n)
    # A normal draw, as often seen, would leave the line.
    assert np.abs(normal(n)).max() > 1


def test_the_numbers_are_new_at_every_call_and_those_of_the_seed(
    critics, samples
):
    network, _ = critics()
    pair = [samples(0), samples(1)]
    one, two = (GradientPenalty(network, seed=2) for _ in range(2))
    first = one(pair)
    assert not np.allclose(one(pair), first)
    np.testing.assert_array_equal(two(pair), first)


@pytest.mark.parametrize("where", ["constant", "flat"])
def test_where_the_slope_is_zero_derivatives_are_zero(where):
    x = keras.Input((3,))
    dense = keras.layers.Dense(1, kernel_initializer="zeros")
    y = dense(x) if where == "constant" else dense(keras.ops.relu(x - 100.0))
    network = keras.Model(x, y)
    layer = GradientPenalty(network, seed=0)
    pair = [np.zeros((4, 3), "float32"), np.ones((4, 3), "float32")]

    def mean():
        found = layer(pair)
        return keras.ops.mean(found), [found]

    def slope():
        def mean_at(kernel):
            with keras.StatelessScope([(dense.kernel, kernel)]):
                return mean()[0]

        (found,) = backend.gradient(mean_at, [backend.read(dense.kernel)])
        total = keras.ops.zeros(()) if found is None else keras.ops.sum(found)
        return total, []

    (found,), (gradient,) = slopes_of(mean, [dense.kernel])
    np.testing.assert_array_equal(found, np.ones(4))
    np.testing.assert_array_equal(gradient, np.zeros((3, 1)))
    # The sum over the slopes of all weights, differentiated once more.
    _, (second,) = slopes_of(slope, [dense.kernel])
    assert np.all(np.isfinite(second))


def test_samples_may_be_lists_and_share_one_number():
    inputs = [keras.Input((2,)), keras.Input((3,))]
    y = sum(keras.ops.sum(0.5 * x * x, axis=-1) for x in inputs)
    layer = GradientPenalty(keras.Model(inputs, y), target=0.0, seed=3)
    real = [np.zeros((50, n)) for n in (2, 3)]
    fake = [np.ones((50, n)) for n in (2, 3)]
    u = np.asarray(layer([real, fake])) / 5
    u = np.sqrt(u)
    assert u.max() < 1
    # With two numbers, u1^2 2 + u2^2 3, the share above 0.9 would be small.
    many = GradientPenalty(keras.Model(inputs, y), target=0.0, seed=3)
    real = [np.zeros((4000, n)) for n in (2, 3)]
    fake = [np.ones((4000, n)) for n in (2, 3)]
    u = np.sqrt(np.asarray(many([real, fake])) / 5)
    # Five standard errors.
    assert abs((u > 0.9).mean() - 0.1) < 5 * np.sqrt(0.09 / 4000)


@pytest.mark.parametrize(
    "inputs",
    [
        np.zeros((4, 3)),
        [np.zeros((4, 3)), np.zeros((4, 2))],
        [np.zeros((4, 3)), np.zeros((5, 3))],
        [np.zeros((4, 3))] * 3,
    ],
    ids=["one", "features", "batch", "three"],
)
def test_what_is_no_pair_is_refused(inputs):
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="real and fake samples of one shape"):
        GradientPenalty(network)(inputs)


@pytest.mark.parametrize("target", [-1.0, float("nan"), float("inf"), "1"])
def test_a_target_out_of_range_is_refused(target):
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="`target` is out of range"):
        GradientPenalty(network, target)
