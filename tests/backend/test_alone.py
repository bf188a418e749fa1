"""What stands in for replicas where there is one."""

import keras
import numpy as np
import pytest

from adversarial.backend import alone

X = keras.ops.convert_to_tensor(np.arange(3.0, dtype="float32"))


def test_there_is_one_replica_which_is_the_chief():
    assert alone.replicas() == alone.replicas_of(None) == 1
    assert not alone.in_replica()
    assert not alone.distributes(None)
    assert not alone.several_workers()
    assert alone.is_chief(None)
    assert alone.said_by_all(None, [3, 4]) == [[3, 4]]


def test_sums_and_means_over_one_are_what_they_are_of():
    assert alone.total([X, None]) == [X, None]
    for same in (alone.per_replica, alone.shared, alone.apart):
        assert same(X) is X
    assert alone.portion(X) == 1.0
    assert alone.weighed(X, None) is X
    assert alone.agreed([], [X], None) == [X]


def test_scopes_change_nothing_and_hide_no_error():
    with alone.scope()():
        assert keras.Variable([1.0]).shape == (1,)
    with (
        pytest.raises(ValueError, match="mine"),
        alone.faults_in_words(),
    ):
        raise ValueError("mine")


def test_all_finite_looks_at_every_entry_of_any_precision():
    large = keras.ops.full((100,), 1000.0, "float16")
    good = [X, None, large, keras.ops.ones(1, "bfloat16")]
    assert bool(alone.all_finite(good))
    for bad in (np.nan, np.inf, -np.inf):
        assert not bool(alone.all_finite([*good, keras.ops.array([1.0, bad])]))
    assert bool(alone.all_finite([None]))


@pytest.mark.parametrize(
    ("value", "dtype"), [(1e25, "float32"), (1e200, "float64")]
)
def test_an_entry_whose_square_overflows_is_not_finite(value, dtype):
    """The next loss would be infinite, and no step be made any more."""
    far = keras.ops.convert_to_tensor(np.array([1.0, value], dtype))
    assert not bool(alone.all_finite([X, far]))
    assert bool(alone.all_finite([X, keras.ops.sqrt(far)]))
