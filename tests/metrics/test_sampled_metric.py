import numpy as np
import pytest

from adversarial.metrics import KernelDistance, PrecisionRecall
from adversarial.metrics.sampled_metric import SampledMetric

X = np.random.default_rng(0).normal(size=(50, 2))


def test_no_more_samples_are_kept_than_there_is_room_for():
    metric = PrecisionRecall(max_samples=20)
    metric.update_state(X, X)
    metric.update_state(X, X)
    assert [len(s) for s in metric._kept_samples("It", 1, 1)] == [20, 20]
    shapes = [tuple(v.shape) for v in metric.variables]
    assert shapes.count((21, 2)) == 2


def test_the_two_sides_do_not_keep_the_same_places():
    metric = PrecisionRecall(max_samples=10)
    metric.update_state(X, X)
    real, fake = metric._kept_samples("It", 1, 1)
    assert not np.array_equal(real, fake)


def test_the_seed_decides_what_is_kept():
    def kept(seed):
        metric = PrecisionRecall(max_samples=10, seed=seed)
        metric.update_state(X, X)
        return np.concatenate(metric._kept_samples("It", 1, 1))

    np.testing.assert_array_equal(kept(4), kept(4))
    assert not np.array_equal(kept(4), kept(5))


def test_too_few_kept_samples_are_named_with_the_room():
    metric = KernelDistance(subset_size=30, max_samples=20)
    metric.update_state(X, X)
    with pytest.raises(ValueError, match=r"least 30(.|\n)*20, where .* 20"):
        metric.result()


@pytest.mark.parametrize("bad", [{"max_samples": 1}, {"seed": -1}])
def test_numbers_that_are_too_small_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        PrecisionRecall(**bad)


def test_counts_are_whole():
    with pytest.raises(TypeError, match="max_samples"):
        PrecisionRecall(max_samples=10.5)


def test_it_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        SampledMetric()
