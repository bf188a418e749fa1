import numpy as np
import pytest

from adversarial.metrics import PrecisionRecall

X = np.random.default_rng(0).normal(size=(80, 3))
Y = np.random.default_rng(1).normal(size=(60, 3)) * 0.7 + 0.5


def by_loops(x, y, k):
    """The part of the y in a ball of x, sample by sample."""
    radii = [sorted(np.linalg.norm(x - c, axis=1))[k] for c in x]
    return np.mean(
        [
            any(np.linalg.norm(p - c) <= r for c, r in zip(x, radii))  # noqa: B905
            for p in y
        ]
    )


@pytest.mark.parametrize("k", [1, 3, 5, 20])
def test_they_are_the_parts_in_the_balls_of_the_other_side(k):
    found = PrecisionRecall(k=k)(X, Y)
    assert found["precision"] == by_loops(X, Y, k)
    assert found["recall"] == by_loops(Y, X, k)


def test_they_are_those_of_the_neighbours_of_scikit_learn():
    sklearn = pytest.importorskip("sklearn.neighbors")

    def part(x, y, k=5):
        search = sklearn.NearestNeighbors(n_neighbors=k, algorithm="brute")
        radii = search.fit(x).kneighbors()[0][:, -1]
        away = np.linalg.norm(y[:, None] - x[None], axis=-1)
        return np.mean((away <= radii).any(axis=1))

    found = PrecisionRecall()(X, Y)
    assert found == {"precision": part(X, Y), "recall": part(Y, X)}


def test_swapping_the_sides_swaps_the_numbers():
    found, swapped = PrecisionRecall()(X, Y), PrecisionRecall()(Y, X)
    assert found["precision"] == swapped["recall"]
    assert found["recall"] == swapped["precision"]


def test_a_set_covers_itself():
    assert PrecisionRecall()(X, X[::-1]) == {"precision": 1.0, "recall": 1.0}


def test_sets_far_apart_share_nothing():
    found = PrecisionRecall()(X, X + 1000.0)
    assert found == {"precision": 0.0, "recall": 0.0}


def test_dropped_modes_cost_recall_and_bad_samples_precision():
    modes = np.array([[0.0] * 3, [50.0] * 3])
    real = np.concatenate([X + m for m in modes])
    dropped = PrecisionRecall()(real, X)
    assert dropped["precision"] == 1.0
    assert dropped["recall"] == pytest.approx(0.5, abs=0.02)
    bad = PrecisionRecall()(X, real)
    assert bad["precision"] == pytest.approx(0.5, abs=0.02)
    assert bad["recall"] == 1.0


@pytest.mark.parametrize("sizes", [(5, 60), (60, 5)])
def test_k_must_be_below_the_number_of_samples(sizes):
    with pytest.raises(ValueError, match=r"`k=5`(.|\n)*least 6(.|\n)*5"):
        PrecisionRecall()(X[: sizes[0]], Y[: sizes[1]])


def test_k_counts_from_one():
    with pytest.raises(ValueError, match="`k`"):
        PrecisionRecall(k=0)
