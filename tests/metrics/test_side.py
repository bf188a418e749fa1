import keras
import numpy as np
import pytest

from adversarial.metrics.side import Side


class Total(Side):
    """Keeps the sum of each column."""

    def build(self, width):
        self.total = self.variable("total", (width,))

    def keep(self, features):
        self.total.assign(self.total + keras.ops.sum(features, axis=0))


@pytest.fixture
def side():
    metric = keras.metrics.Mean()
    made = Total(metric.add_variable, "fake", "float64", (0.0, 10.0))
    made.build(2)
    return made


def add(side, rows):
    side.inspect_range(rows)
    features = keras.ops.convert_to_tensor(rows)
    side.inspect(features)
    side.add(features)


def test_it_counts_samples_and_batches(side):
    add(side, np.ones((3, 2)))
    add(side, np.ones((4, 2)))
    assert side.check(least=7) == 7
    assert side.number(side.batches) == 2
    np.testing.assert_array_equal(side.total, [7, 7])


def test_a_refused_batch_is_not_counted(side):
    add(side, np.ones((3, 2)))
    bad = np.array([[np.nan, 1], [1, 1]])
    with pytest.raises(ValueError, match=r"1 of 2 fake rows .* batch 1"):
        side.inspect(keras.ops.convert_to_tensor(bad))
    with pytest.raises(ValueError, match="not all finite"):
        add(side, bad)
    with pytest.raises(ValueError, match="value_range"):
        add(side, np.array([[0.0, 12.0]]))
    assert side.check(least=1) == 3


def test_too_few_samples_are_named_with_what_to_call(side):
    with pytest.raises(ValueError, match=r"least 2(.|\n)*update_fake"):
        side.check(least=2)


def test_a_reset_sets_everything_back(side):
    trace = keras.ops.convert_to_tensor(np.full((2, 2), 99.0))
    side.spoiled.assign(4)
    side.extremes[1].assign(99.0)
    side.add(trace)
    side.reset()
    add(side, np.ones((1, 2)))
    assert side.check(least=1) == 1
    np.testing.assert_array_equal(side.total, [1, 1])


def test_what_was_counted_as_bad_is_refused_later(side):
    add(side, np.ones((3, 2)))
    side.spoiled.assign(2)
    with pytest.raises(ValueError, match="2 of 3 fake rows"):
        side.check(least=1)


def test_extremes_that_were_seen_are_refused_later(side):
    add(side, np.ones((3, 2)))
    side.extremes[0].assign(-1.0)
    with pytest.raises(ValueError, match="from -1 to 10"):
        side.check(least=1)
