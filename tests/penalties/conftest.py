"""A convolutional critic twice: in Keras, and written out in NumPy."""

import keras
import numpy as np
import pytest
from engines import slopes_of, values_only as values_only
from keras import ops

SHAPE = (7, 7, 2)
BATCH = 8
SAME = 1e-10
"""Relative and absolute, float64; sums of up to a hundred numbers."""
STEP = 1e-6
"""Of central differences: their error is about STEP^2 + 1e-16 / STEP."""
SLOPES = 1e-7
"""Relative and absolute, of derivatives of the order of 1 to 100."""

# A quarter has no rounding error in the float32 in which TensorFlow keeps it.
ACTIVATIONS = {
    "tanh": (np.tanh, lambda t: 1 - np.tanh(t) ** 2),
    "leaky_relu": (
        lambda t: np.where(t > 0, t, 0.25 * t),
        lambda t: np.where(t > 0, 1.0, 0.25),
    ),
}


def as_matrix(kernel, shape, stride):
    """A convolution without padding as a matrix: (outputs, inputs)."""
    window, _, channels, filters = kernel.shape
    height, width, _ = shape
    places = [(s - window) // stride + 1 for s in (height, width)]
    matrix = np.zeros((*places, filters, height, width, channels))
    for i, j in np.ndindex(*places):
        rows = slice(i * stride, i * stride + window)
        columns = slice(j * stride, j * stride + window)
        matrix[i, j, :, rows, columns] = np.moveaxis(kernel, -1, 0)
    size = int(np.prod(places)) * filters
    return matrix.reshape(size, -1), (*places, filters)


class NumpyCritic:
    """Scores and slopes of the critic for given weights, one by one.

        D(x) = v . f(B f(A x + a) + b) + c
        d D / d x = A^T (f' o B^T (f' o v))

    with one row of v per patch, over which slopes are added up.
    """

    def __init__(self, activation):
        self.f, self.df = ACTIVATIONS[activation]

    def slopes(self, weights, x):
        """The gradient of each sample's own score, flat: (batch, numbers)."""
        first, a, second, b, last, _ = weights
        matrix_a, shape = as_matrix(first, SHAPE, 2)
        matrix_b, shape = as_matrix(second, shape, 1)
        a = np.tile(a, len(matrix_a) // len(a))
        b = np.tile(b, len(matrix_b) // len(b))
        if last.ndim == 4:
            v = as_matrix(last, shape, 1)[0].sum(axis=0)
        else:
            v = last[:, 0]
        found = []
        for sample in np.reshape(x, (len(x), -1)):
            one = matrix_a @ sample + a
            two = matrix_b @ self.f(one) + b
            back = matrix_b.T @ (self.df(two) * v)
            found.append(matrix_a.T @ (self.df(one) * back))
        return np.array(found)

    def norms(self, weights, x):
        return np.sqrt((self.slopes(weights, x) ** 2).sum(axis=1))


def keras_critic(activation, dtype, patches):
    layers = keras.layers
    negative = {"negative_slope": 0.25} if activation == "leaky_relu" else {}
    kind = {"tanh": lambda **k: layers.Activation("tanh", **k)}.get(
        activation, layers.LeakyReLU
    )
    random = lambda seed: keras.initializers.RandomNormal(0.0, 0.4, seed)  # noqa: E731

    def conv(filters, window, stride, seed):
        return layers.Conv2D(
            filters,
            window,
            stride,
            kernel_initializer=random(seed),
            bias_initializer=random(seed + 10),
            dtype=dtype,
        )

    last = [
        layers.Flatten(dtype=dtype),
        layers.Dense(1, kernel_initializer=random(3), dtype=dtype),
    ]
    return keras.Sequential(
        [
            keras.Input(SHAPE, dtype="float64" if dtype == "float64" else None),
            conv(3, 3, 2, 1),
            kind(dtype=dtype, **negative),
            conv(4, 2, 1, 2),
            kind(dtype=dtype, **negative),
            *([conv(1, 1, 1, 3)] if patches else last),
        ],
        name="critic",
    )


@pytest.fixture
def critics():
    """Makes a critic in Keras and the same one in NumPy."""

    def make(activation="tanh", dtype="float64", patches=False):
        return keras_critic(activation, dtype, patches), NumpyCritic(activation)

    return make


@pytest.fixture
def samples():
    """Draws 8 samples in float64."""

    def draw(seed, shape=SHAPE, dtype="float64", scale=1.0):
        rng = np.random.default_rng(seed)
        return (scale * rng.normal(size=(BATCH, *shape))).astype(dtype)

    return draw


@pytest.fixture
def agrees():
    """Asserts that a penalty and its gradient are those of a formula.

    The formula takes the weights of the network and returns a number per
    sample. The gradient of its mean is taken by central differences, in
    random directions.
    """

    def check(layer, inputs, formula, training=False):
        variables = layer.network.trainable_variables

        def mean():
            found = layer(inputs, training=training)
            return ops.mean(found), [found]

        (found,), gradients = slopes_of(mean, variables)
        layer(inputs, training=training)  # And keep what it notes.
        weights = [v.numpy() for v in variables]
        wanted = formula(weights)
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, rtol=SAME, atol=SAME)
        rng = np.random.default_rng(5)
        for _ in range(3):
            way = [rng.normal(size=w.shape) for w in weights]
            ends = [
                formula(
                    [
                        w + sign * STEP * d
                        for w, d in zip(weights, way, strict=True)
                    ]
                ).mean()
                for sign in (1, -1)
            ]
            slope = sum(
                np.sum(np.asarray(g) * d)
                for g, d in zip(gradients, way, strict=True)
            )
            np.testing.assert_allclose(
                slope,
                (ends[0] - ends[1]) / (2 * STEP),
                rtol=SLOPES,
                atol=SLOPES,
            )

    return check


@pytest.fixture
def tells_apart(agrees):
    """Asserts that the check above rejects a faulty penalty, or formula."""

    def check(*args, **kwargs):
        with pytest.raises(AssertionError):
            agrees(*args, **kwargs)

    return check
