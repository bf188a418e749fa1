import numpy as np
import pytest
import scipy.special
import scipy.stats

from adversarial.metrics import ClassifierScore

EXACT = 1e-12
"""Relative, between two orders of sums."""


def logits(n=90, classes=5, seed=0):
    return 3 * np.random.default_rng(seed).normal(size=(n, classes))


def softmax(z):
    return scipy.special.softmax(z, axis=1)


def by_scipy(p, splits):
    """The score of each split by `scipy.stats.entropy`."""
    each = []
    for i in range(splits):
        part = p[i::splits]
        q = part.mean(axis=0)
        each.append(
            np.exp(np.mean([scipy.stats.entropy(row, q) for row in part]))
        )
    return np.mean(each), np.std(each)


def score(p, **kwargs):
    metric = ClassifierScore(**kwargs)
    metric.update_fake(p)
    return tuple(metric.result().values())


@pytest.mark.parametrize("splits", [1, 4, 10])
def test_it_is_the_exponent_of_the_mean_divergence(splits):
    p = softmax(logits())
    found = score(p, splits=splits)
    assert found == pytest.approx(by_scipy(p, splits), rel=EXACT, abs=1e-14)


def test_logits_and_probabilities_are_the_same():
    z = logits()
    found = score(z, from_logits=True)
    assert found == pytest.approx(score(softmax(z)), rel=1e-10)


def test_large_logits_are_stable():
    z = 1e4 * np.eye(4)[np.arange(40) % 4]
    assert score(z, from_logits=True, splits=1)[0] == pytest.approx(4.0)


def test_probabilities_of_zero_count_as_zero():
    p = np.eye(3)[np.arange(30) % 3]
    assert score(p, splits=1) == pytest.approx((3.0, 0.0))


def test_undecided_or_lopsided_classifiers_score_one():
    same = np.tile([[0.7, 0.2, 0.1]], (20, 1))
    assert score(same, splits=2) == pytest.approx((1.0, 0.0))


def test_sorted_samples_score_like_shuffled_ones():
    # Consecutive splits of samples sorted by class would score 1.
    p = np.eye(5)[np.repeat(np.arange(5), 20)]
    assert score(p, splits=5)[0] == pytest.approx(5.0)
    consecutive = [score(part, splits=1)[0] for part in np.split(p, 5)]
    assert consecutive == pytest.approx([1.0] * 5)


def test_real_samples_have_a_score_too():
    metric = ClassifierScore(splits=3)
    real, fake = softmax(logits(seed=1)), softmax(logits(seed=2))
    metric.update_state(real, fake)
    assert tuple(metric.result().values()) == score(fake, splits=3)
    assert tuple(metric.real_result().values()) == score(real, splits=3)


@pytest.mark.parametrize(
    "row", [[0.5, 0.2], [1.2, -0.2], [np.nan, 1.0], [3.0, -2.0]]
)
def test_what_is_not_a_distribution_is_refused(row):
    p = np.array([[0.5, 0.5], row])
    with pytest.raises(ValueError, match=r"1 of 2(.|\n)*from_logits=True"):
        score(p)


def test_rounding_of_half_precision_is_allowed():
    p = softmax(logits(classes=1000)).astype("float16")
    found, full = (
        score(p, splits=1),
        score(softmax(logits(classes=1000)), splits=1),
    )
    assert found[0] == pytest.approx(full[0], rel=1e-3)


def test_logits_must_be_finite():
    z = logits()
    z[3, 1] = np.inf
    with pytest.raises(ValueError, match="Logits must be finite"):
        score(z, from_logits=True)


def test_every_split_needs_a_sample():
    with pytest.raises(ValueError, match="at least 10"):
        score(softmax(logits(9)))


def test_one_class_is_refused():
    with pytest.raises(ValueError, match=r"\[1 - p, p\]"):
        score(np.ones((5, 1)))


def test_a_split_at_least_is_needed():
    with pytest.raises(ValueError, match="`splits`"):
        ClassifierScore(splits=0)
