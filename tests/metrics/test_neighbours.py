import numpy as np
import pytest

from adversarial.metrics import neighbours
from adversarial.metrics.neighbours import centred, inside, squared_radii

EXACT = 1e-10
"""Relative: |x|^2 + |y|^2 - 2 x.y against the sum of squared differences."""


def samples(n, width=4, seed=0):
    return np.random.default_rng(seed).normal(size=(n, width))


def distances(x, y):
    return np.sum((x[:, None] - y[None]) ** 2, axis=-1)


@pytest.mark.parametrize("k", [1, 3, 39])
def test_radii_are_those_of_a_sorted_list(k):
    x = samples(40)
    expected = np.sort(distances(x, x), axis=1)[:, k]
    np.testing.assert_allclose(squared_radii(x, k), expected, rtol=EXACT)


def test_radii_are_those_of_scikit_learn():
    sklearn = pytest.importorskip("sklearn.neighbors")
    x = samples(300, 8)
    brute = sklearn.NearestNeighbors(n_neighbors=6, algorithm="brute").fit(x)
    expected = brute.kneighbors()[0][:, 4]  # Without the points themselves.
    np.testing.assert_allclose(
        np.sqrt(squared_radii(x, 5)), expected, rtol=1e-9
    )


def test_points_are_counted_in_balls():
    points, centres = samples(30), samples(50, seed=1)
    radii = squared_radii(centres, 5)
    hits = distances(points, centres) <= radii
    balls, filled = inside(points, centres, radii)
    np.testing.assert_array_equal(balls, hits.sum(axis=1))
    np.testing.assert_array_equal(filled, hits.any(axis=0))


def test_chunks_do_not_matter(monkeypatch):
    points, centres = samples(30), samples(50, seed=1)
    radii = squared_radii(centres, 5)
    whole = inside(points, centres, radii)
    monkeypatch.setattr(neighbours, "ENTRIES", 130)  # 2 rows at a time.
    np.testing.assert_allclose(squared_radii(centres, 5), radii, rtol=EXACT)
    for a, b in zip(inside(points, centres, radii), whole, strict=True):
        np.testing.assert_array_equal(a, b)


def test_no_more_distances_are_held_than_declared(monkeypatch):
    monkeypatch.setattr(neighbours, "ENTRIES", 130)
    x = samples(50)
    sizes = [d.size for _, d in neighbours._distances(x, x)]
    assert max(sizes) <= 130
    assert sum(sizes) == 2500


def test_repeated_samples_do_not_count_as_their_own_neighbours():
    x = np.repeat(samples(5), 2, axis=0)
    radii = squared_radii(x, 1)
    np.testing.assert_allclose(radii, 0, atol=1e-12)
    others = squared_radii(x, 2)
    assert (others > 1e-3).all()


def test_a_point_at_exactly_the_radius_is_inside():
    centres = np.array([[0.0, 0.0], [3.0, 4.0]])
    radii = squared_radii(centres, 1)
    points = np.array([[-3.0, 4.0], [0.0, -5.0], [0.0, -5.0001]])
    assert inside(points, centres, radii)[0].tolist() == [1, 1, 0]


def test_repeated_samples_fill_balls_of_radius_zero():
    x = np.repeat(samples(7, 300), 3, axis=0)
    _, filled = inside(x[::3], x, squared_radii(x, 2))
    assert filled.all()


def test_an_offset_is_taken_off_both_sides():
    x, y = samples(20) + 1e6, samples(10, seed=1) + 1e6
    a, b = centred(x, y)
    assert np.abs(a).max() < 10
    np.testing.assert_allclose(distances(a, b), distances(x, y), rtol=1e-6)
