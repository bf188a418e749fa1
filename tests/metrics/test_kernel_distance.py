import itertools

import numpy as np
import pytest

from adversarial.metrics import KernelDistance, kernel_distance
from adversarial.metrics.kernel_distance import squared_mmd

EXACT = 1e-11
"""Relative to the largest of the three sums: rounding of float64."""


def samples(n, shift=0.0, seed=0, width=5):
    return np.random.default_rng(seed).normal(size=(n, width)) + shift


def kernel(a, b):
    return (float(np.dot(a, b)) / len(a) + 1.0) ** 3


def by_pairs(x, y):
    """The estimator as it is written: sums over pairs."""
    m, n = len(x), len(y)
    among_x = sum(kernel(a, b) for a, b in itertools.permutations(x, 2))
    among_y = sum(kernel(a, b) for a, b in itertools.permutations(y, 2))
    between = sum(kernel(a, b) for a in x for b in y)
    return (
        among_x / (m * (m - 1))
        + among_y / (n * (n - 1))
        - 2 * between / (m * n)
    )


@pytest.mark.parametrize("m, n", [(12, 12), (7, 15), (2, 2)])
def test_it_is_the_sum_over_pairs(m, n):
    x, y = samples(m), samples(n, 0.3, seed=1)
    assert squared_mmd(x, y) == pytest.approx(by_pairs(x, y), rel=EXACT)


def test_chunks_of_the_kernel_matrix_do_not_matter(monkeypatch):
    x, y = samples(40), samples(33, 0.3, seed=1)
    whole = squared_mmd(x, y)
    monkeypatch.setattr(kernel_distance, "CHUNK", 7)
    assert squared_mmd(x, y) == pytest.approx(whole, rel=EXACT)


def test_the_value_and_the_error_are_those_of_disjoint_subsets():
    x, y = samples(57), samples(49, 0.2, seed=1)
    found = KernelDistance(subset_size=10, seed=6)(x, y)
    rng = np.random.default_rng(6)
    x, y = x[rng.permutation(57)], y[rng.permutation(49)]
    each = [by_pairs(x[i : i + 10], y[i : i + 10]) for i in (0, 10, 20, 30)]
    assert found["kernel_distance"] == pytest.approx(np.mean(each), rel=EXACT)
    error = np.std(each, ddof=1) / 2
    assert found["kernel_distance_error"] == pytest.approx(error, rel=EXACT)


def test_no_more_subsets_are_used_than_asked_for():
    x, y = samples(57), samples(49, 0.2, seed=1)
    found = KernelDistance(subset_size=10, subsets=1, seed=6)(x, y)
    rng = np.random.default_rng(6)
    x, y = x[rng.permutation(57)[:10]], y[rng.permutation(49)[:10]]
    assert found["kernel_distance"] == pytest.approx(by_pairs(x, y))
    assert np.isnan(found["kernel_distance_error"])


def test_it_is_unbiased_and_its_error_is_one():
    # 60 pairs of sets of one distribution: the mean is 0, and as far from it
    # as the errors say. With the diagonal (the biased form) it would be above.
    draws = np.random.default_rng(0).normal(size=(60, 2, 80, 3))
    found = [
        KernelDistance(subset_size=10, max_samples=80)(x, y) for x, y in draws
    ]
    values = [f["kernel_distance"] for f in found]
    errors = [f["kernel_distance_error"] for f in found]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(60)
    assert np.std(values) == pytest.approx(
        np.sqrt(np.mean(np.square(errors))), rel=0.35
    )
    biased = [
        by_pairs(x[:10], y[:10])
        + 2 * np.mean([kernel(a, a) for a in x[:10]]) / 10
        for x, y in draws[:20]
    ]
    assert np.mean(biased) > 3 * np.std(biased) / np.sqrt(20)


def test_overlapping_subsets_would_promise_too_much():
    # Why subsets are disjoint: the deviation over 100 overlapping subsets,
    # divided by 10, is far below the deviation between data sets.
    rng = np.random.default_rng(0)
    values, promised = [], []
    for x, y in rng.normal(size=(30, 2, 40, 3)):
        y = y + 0.5
        each = [
            squared_mmd(
                x[rng.permutation(40)[:20]], y[rng.permutation(40)[:20]]
            )
            for _ in range(100)
        ]
        values.append(np.mean(each))
        promised.append(np.std(each, ddof=1) / 10)
    assert np.std(values) > 3 * np.mean(promised)


def test_a_seed_draws_the_same_subsets():
    x, y = samples(40), samples(40, 0.2, seed=1)
    assert KernelDistance(subset_size=10, seed=1)(x, y) == KernelDistance(
        subset_size=10, seed=1
    )(x, y)
    assert KernelDistance(subset_size=10, seed=1)(x, y) != KernelDistance(
        subset_size=10, seed=2
    )(x, y)


def test_fewer_samples_than_a_subset_are_refused():
    with pytest.raises(ValueError, match=r"subset_size=1000(.|\n)*40"):
        KernelDistance()(samples(40), samples(40))


@pytest.mark.parametrize("bad", [{"subset_size": 1}, {"subsets": 0}])
def test_sizes_that_are_too_small_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        KernelDistance(**bad)
