import numpy as np
import pytest
import scipy.stats

from adversarial.metrics import SlicedWasserstein
from adversarial.metrics.sliced_wasserstein import line_costs, unit_vectors

EXACT = 1e-10
"""Relative, between two orders of sums."""


def samples(n, width=4, seed=0):
    return np.random.default_rng(seed).normal(size=(n, width)) ** 3


def test_directions_have_length_one_and_prefer_none():
    w = unit_vectors(20_000, 3, seed=0)
    np.testing.assert_allclose(np.linalg.norm(w, axis=1), 1, rtol=1e-12)
    # The standard error of each entry is below 1 / sqrt(20000) = 0.007.
    np.testing.assert_allclose(w.T @ w / len(w), np.eye(3) / 3, atol=0.02)
    np.testing.assert_allclose(w.mean(axis=0), 0, atol=0.02)


@pytest.mark.parametrize("order", [1.0, 2.0, 3.5])
def test_equal_numbers_are_paired_in_order(order):
    a, b = samples(50, 3), samples(50, 3, seed=1)
    expected = np.mean(
        np.abs(np.sort(a, axis=0) - np.sort(b, axis=0)) ** order, axis=0
    )
    np.testing.assert_allclose(line_costs(a, b, order), expected, rtol=EXACT)


@pytest.mark.parametrize("n, m", [(3, 2), (50, 20), (7, 31), (1, 5)])
@pytest.mark.parametrize("order", [1.0, 2.0])
def test_unequal_numbers_are_paired_by_quantiles(n, m, order):
    # Repeating every sample m (or n) times changes no distribution.
    a, b = samples(n, 3), samples(m, 3, seed=1)
    expected = line_costs(np.repeat(a, m, axis=0), np.repeat(b, n, 0), order)
    np.testing.assert_allclose(line_costs(a, b, order), expected, rtol=EXACT)


@pytest.mark.parametrize("n, m", [(40, 40), (40, 23)])
def test_order_one_is_the_distance_of_scipy(n, m):
    a, b = samples(n, 1), samples(m, 1, seed=1)
    expected = scipy.stats.wasserstein_distance(a[:, 0], b[:, 0])
    found = SlicedWasserstein(order=1, projections=5)(a, b)
    assert found == pytest.approx(expected, rel=EXACT)


@pytest.mark.parametrize("order", [1.0, 2.0, 3.0])
def test_it_is_the_mean_over_lines(order):
    x, y = samples(30), samples(45, seed=1)
    metric = SlicedWasserstein(projections=150, order=order, seed=9)
    each = []
    for w in unit_vectors(150, 4, seed=9):
        a, b = np.repeat(x @ w, 3), np.repeat(y @ w, 2)
        each.append(np.mean(np.abs(np.sort(a) - np.sort(b)) ** order))
    expected = np.mean(each) ** (1 / order)
    assert metric(x, y) == pytest.approx(expected, rel=EXACT)


def test_a_shift_has_a_closed_form():
    x, shift = samples(60), np.array([1.0, -2.0, 0.5, 3.0])
    w = unit_vectors(128, 4, seed=0)
    expected = np.sqrt(np.mean((w @ shift) ** 2))
    assert SlicedWasserstein()(x, x + shift) == pytest.approx(
        expected, rel=EXACT
    )
    # And on average over directions |shift| / sqrt(d).
    many = SlicedWasserstein(projections=20_000)(x[:5], x[:5] + shift)
    assert many == pytest.approx(np.linalg.norm(shift) / 2, rel=0.02)


def test_the_order_of_samples_does_not_matter_and_the_seed_does():
    x, y = samples(60), samples(60, seed=1)
    found = SlicedWasserstein(seed=1)(x, y)
    assert SlicedWasserstein(seed=1)(x[::-1], y) == pytest.approx(found)
    assert SlicedWasserstein(seed=2)(x, y) != pytest.approx(found)


def test_the_directions_are_the_same_at_every_result():
    x, y = samples(60), samples(60, seed=1)
    metric = SlicedWasserstein()
    metric.update_state(x, y)
    assert metric.result() == metric.result()


@pytest.mark.parametrize("order", [0.5, np.inf, np.nan])
def test_other_orders_are_refused(order):
    with pytest.raises(ValueError, match="`order`"):
        SlicedWasserstein(order=order)


def test_a_line_at_least_is_needed():
    with pytest.raises(ValueError, match="`projections`"):
        SlicedWasserstein(projections=0)
