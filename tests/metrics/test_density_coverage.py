import numpy as np
import pytest

from adversarial.metrics import DensityCoverage, PrecisionRecall

X = np.random.default_rng(0).normal(size=(80, 3))
Y = np.random.default_rng(1).normal(size=(60, 3)) * 0.7 + 0.5


def by_loops(x, y, k):
    """The formulas, ball by ball."""
    density, covered = 0, 0
    for centre in x:
        radius = sorted(np.linalg.norm(x - centre, axis=1))[k]
        hits = sum(np.linalg.norm(p - centre) <= radius for p in y)
        density += hits
        covered += hits > 0
    return {"density": density / (k * len(y)), "coverage": covered / len(x)}


@pytest.mark.parametrize("k", [1, 3, 5, 20])
def test_they_are_the_formulas(k):
    assert DensityCoverage(k=k)(X, Y) == pytest.approx(by_loops(X, Y, k))


def test_alike_sides_have_the_expected_values():
    # 1 and 1 - 2^-k; the slack is four deviations of 300 samples.
    draws = np.random.default_rng(0).normal(size=(10, 2, 300, 2))
    found = [DensityCoverage(k=3)(x, y) for x, y in draws]
    density = [f["density"] for f in found]
    coverage = [f["coverage"] for f in found]
    assert np.mean(density) == pytest.approx(1, abs=0.1)
    assert np.mean(coverage) == pytest.approx(1 - 2**-3, abs=0.03)


def test_a_set_has_every_neighbour_and_itself():
    found = DensityCoverage(k=5)(X, X)
    assert found == pytest.approx({"density": 6 / 5, "coverage": 1.0})


def test_an_outlier_lifts_precision_but_not_density():
    real = np.concatenate([X, [[100.0, 0.0, 0.0]]])
    bad = np.random.default_rng(2).uniform(-40, 40, size=(50, 3))
    bad += [100.0, 0.0, 0.0]
    assert PrecisionRecall()(real, bad)["precision"] == 1.0
    assert DensityCoverage()(real, bad)["density"] < 0.3


def test_spread_out_samples_lift_recall_but_not_coverage():
    spread = 30 * np.random.default_rng(2).normal(size=(50, 3))
    assert PrecisionRecall()(X, spread)["recall"] > 0.9
    assert DensityCoverage()(X, spread)["coverage"] < 0.3


def test_one_generated_sample_is_enough_but_k_real_ones_are_not():
    found = DensityCoverage(k=5)(X, X[:1])
    assert 0 < found["coverage"] < 1
    with pytest.raises(ValueError, match=r"`k=5`(.|\n)*least 6"):
        DensityCoverage(k=5)(X[:5], Y)
