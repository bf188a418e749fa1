import keras
import numpy as np
import pytest

from adversarial.metrics.moments import Moments

EXACT = 1e-12
"""Relative to the standard deviation: rounding of float64."""
N, WIDTH = 500, 4
OFFSET = 1e8
"""Squared it is 1e16: the unit in the last place is 2, twice the variance."""


@pytest.fixture
def moments():
    made = Moments(keras.metrics.Mean().add_variable, "fake", "float64")
    made.build(WIDTH)
    return made


def feed(moments, x, sizes):
    for part in np.split(x, np.cumsum(sizes)):
        moments.add(keras.ops.convert_to_tensor(part))


def samples(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, WIDTH)) @ rng.normal(size=(WIDTH, WIDTH))


@pytest.mark.parametrize(
    "sizes", [[], [0, 1, 0, 1, 2, 77], [100] * 5, [1] * 30]
)
def test_they_are_those_of_numpy_however_samples_come(moments, sizes):
    x = samples()
    feed(moments, x, sizes)
    mean, covariance = moments.read()
    np.testing.assert_allclose(mean, x.mean(axis=0), atol=EXACT)
    np.testing.assert_allclose(
        covariance, np.cov(x, rowvar=False), rtol=EXACT, atol=EXACT
    )


def test_a_large_common_offset_costs_no_digits(moments):
    x = samples() + OFFSET
    feed(moments, x, [50] * 9)
    exact = np.cov(x - OFFSET, rowvar=False)
    _, covariance = moments.read()
    # The samples themselves are rounded to 1.5e-8 by the offset.
    np.testing.assert_allclose(covariance, exact, atol=1e-6)


def test_sums_of_squares_would_lose_the_covariance():
    x = samples() + OFFSET
    squares, total = np.zeros((WIDTH, WIDTH)), np.zeros(WIDTH)
    for part in np.split(x, 10):
        squares += part.T @ part
        total += part.sum(axis=0)
    naive = (squares - np.outer(total, total) / N) / (N - 1)
    exact = np.cov(x - OFFSET, rowvar=False)
    assert np.max(np.abs(naive - exact)) > 0.1 * np.max(np.abs(exact))


def test_batches_with_far_means_are_merged(moments):
    x = np.repeat([[0.0], [100.0], [-30.0]], [3, 200, 7], axis=0)
    x = x + np.random.default_rng(1).normal(size=(210, WIDTH))
    feed(moments, x, [3, 200])
    np.testing.assert_allclose(
        moments.read()[1], np.cov(x, rowvar=False), rtol=EXACT
    )


def test_the_covariance_is_symmetric(moments):
    feed(moments, samples(), [37, 11])
    covariance = moments.read()[1]
    np.testing.assert_array_equal(covariance, covariance.T)


def test_moments_that_are_written_are_continued(moments):
    x = samples()
    first = x[:200]
    moments.write(first.mean(axis=0), np.cov(first, rowvar=False), 200)
    feed(moments, x[200:], [])
    np.testing.assert_allclose(
        moments.read()[1], np.cov(x, rowvar=False), rtol=EXACT, atol=EXACT
    )
