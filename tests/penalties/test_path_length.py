import keras
import numpy as np
import pytest
from engines import slopes_of

from adversarial.penalties import PathLength

ROWS, LATENT, HEIGHT, WIDTH, CHANNELS = 8, 5, 4, 3, 2
SEED = 4


def make(dtype="float64"):
    """G(w) = tanh(w A + a) as an image, and its Jacobian in NumPy."""
    network = keras.Sequential(
        [
            keras.Input((LATENT,), dtype=dtype),
            keras.layers.Dense(
                HEIGHT * WIDTH * CHANNELS,
                "tanh",
                bias_initializer="random_normal",
                dtype=dtype,
            ),
            keras.layers.Reshape((HEIGHT, WIDTH, CHANNELS), dtype=dtype),
        ],
        name="generator",
    )
    return network


def noise(seed=SEED):
    generator = keras.random.SeedGenerator(seed)
    shape = (ROWS, HEIGHT, WIDTH, CHANNELS)
    y = keras.random.normal(shape, dtype="float64", seed=generator)
    return np.asarray(y) / np.sqrt(HEIGHT * WIDTH)


def lengths(weights, w, y):
    a, b = weights
    found = []
    for one, direction in zip(w, y, strict=True):
        slope = 1 - np.tanh(one @ a + b) ** 2
        jacobian = slope[:, None] * a.T
        found.append(np.linalg.norm(jacobian.T @ direction.ravel()))
    return np.array(found)


@pytest.fixture
def latents():
    return np.random.default_rng(3).normal(size=(ROWS, LATENT))


@pytest.mark.parametrize("training", [False, True])
def test_values_and_gradients_are_those_of_each_sample_alone(
    training, latents, agrees
):
    network = make()
    layer = PathLength(network, rate=0.25, seed=SEED)
    layer.mean.assign(0.5)
    start = [v.numpy() for v in network.trainable_variables]
    mean = 0.5
    if training:
        # No gradient flows into the mean: it is that of the weights now.
        mean += 0.25 * (lengths(start, latents, noise()).mean() - 0.5)
        mean = np.float64(mean)

    def formula(weights):
        return (lengths(weights, latents, noise()) - mean) ** 2

    agrees(layer, latents, formula, training=training)
    # The mean is kept in float32.
    assert float(layer.mean) == pytest.approx(mean, rel=1e-6)


def without_the_pixels(latents, y):
    return lambda weights: lengths(weights, latents, y * np.sqrt(12)) ** 2


def one_norm_for_the_batch(latents, y):
    def formula(weights):
        total = (lengths(weights, latents, y) ** 2).sum()
        return np.full(ROWS, total)

    return formula


def divided_by_channels_too(latents, y):
    return lambda weights: lengths(weights, latents, y / np.sqrt(2)) ** 2


@pytest.mark.parametrize(
    "faulty",
    [without_the_pixels, one_norm_for_the_batch, divided_by_channels_too],
)
def test_a_faulty_formula_is_told_apart(faulty, latents, tells_apart):
    layer = PathLength(make(), seed=SEED)
    tells_apart(layer, latents, faulty(latents, noise()))


def test_a_gradient_into_the_mean_is_told_apart(latents, tells_apart):
    layer = PathLength(make(), rate=0.25, seed=SEED)

    def formula(weights):
        found = lengths(weights, latents, noise())
        return (found - 0.25 * found.mean()) ** 2

    tells_apart(layer, latents, formula, training=True)


def test_the_mean_follows_the_lengths_in_training_only(latents):
    network = make()
    layer = PathLength(network, rate=0.1, seed=SEED)
    layer(latents)
    assert float(layer.mean) == 0.0
    expected, generator = 0.0, keras.random.SeedGenerator(SEED)
    layer = PathLength(network, rate=0.1, seed=SEED)
    weights = [v.numpy() for v in network.trainable_variables]
    for _ in range(3):
        y = keras.random.normal(
            (ROWS, HEIGHT, WIDTH, CHANNELS), dtype="float64", seed=generator
        )
        y = np.asarray(y) / np.sqrt(HEIGHT * WIDTH)
        layer(latents, training=True)
        expected += 0.1 * (lengths(weights, latents, y).mean() - expected)
        assert float(layer.mean) == pytest.approx(expected, rel=1e-5)


def test_the_channels_may_come_first(latents):
    shape = (ROWS, CHANNELS, HEIGHT, WIDTH)
    network = keras.Sequential(
        [
            keras.Input((LATENT,), dtype="float64"),
            keras.layers.Dense(24, dtype="float64"),
            keras.layers.Reshape(shape[1:], dtype="float64"),
        ]
    )
    layer = PathLength(network, data_format="channels_first", seed=SEED)
    generator = keras.random.SeedGenerator(SEED)
    y = keras.random.normal(shape, dtype="float64", seed=generator)
    y = np.asarray(y).reshape(ROWS, -1) / np.sqrt(HEIGHT * WIDTH)
    kernel = network.layers[0].kernel.numpy()
    expected = ((y @ kernel.T) ** 2).sum(axis=1)
    np.testing.assert_allclose(layer(latents), expected, rtol=1e-10)


def test_outputs_without_places_have_one_pixel(latents):
    network = keras.Sequential(
        [
            keras.Input((LATENT,), dtype="float64"),
            keras.layers.Dense(3, dtype="float64"),
        ]
    )
    generator = keras.random.SeedGenerator(SEED)
    y = keras.random.normal((ROWS, 3), dtype="float64", seed=generator)
    kernel = network.layers[0].kernel.numpy()
    expected = ((np.asarray(y) @ kernel.T) ** 2).sum(axis=1)
    found = PathLength(network, seed=SEED)(latents)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_where_nothing_depends_on_latents_derivatives_are_zero():
    dense = keras.layers.Dense(3, kernel_initializer="zeros")
    network = keras.Sequential([keras.Input((2,)), dense])
    layer = PathLength(network)
    latents = np.ones((4, 2), "float32")
    _, (gradient,) = slopes_of(
        lambda: (keras.ops.mean(layer(latents)), []), [dense.kernel]
    )
    np.testing.assert_array_equal(gradient, np.zeros((2, 3)))


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.1])
def test_a_rate_out_of_range_is_refused(rate):
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    with pytest.raises(ValueError, match="`rate` is out of range") as error:
        PathLength(network, rate)
    assert "above 0 and up to 1" in str(error.value)


def test_an_unknown_format_is_refused():
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    with pytest.raises(ValueError, match="channels_last"):
        PathLength(network, data_format="channel_last")


def test_it_reads_latents():
    assert PathLength.reads == "latent"


def test_a_data_format_that_is_no_word_is_refused_in_words():
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    for given in (np.ones(2), "", []):
        with pytest.raises(ValueError, match="Unknown `data_format`"):
            PathLength(network, data_format=given)
