import numpy as np
import pytest

from adversarial.metrics.arguments import is_range, whole


def test_whole_numbers_of_any_type_become_python_ints():
    assert whole("k", np.int64(3), 1) == 3
    assert type(whole("k", np.int32(3), 1)) is int


@pytest.mark.parametrize("bad", [2.0, "2", None, True])
def test_other_types_are_refused(bad):
    with pytest.raises(TypeError, match="`k` must be a whole number"):
        whole("k", bad, 1)


def test_numbers_that_are_too_small_are_refused():
    with pytest.raises(ValueError, match=r"2 or more(.|\n)*1"):
        whole("k", 1, 2)


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        ((0, 1), True),
        (np.array([-1.0, 1.0]), True),
        ((1, 0), False),
        ((0, float("inf")), False),
        (("a", "b"), False),
        ((0, 1, 2), False),
        (np.array(1.0), False),
        (3, False),
    ],
)
def test_a_range_is_a_pair_of_numbers_in_their_order(value, holds):
    assert is_range(value) is holds
