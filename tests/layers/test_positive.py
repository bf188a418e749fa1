import numpy as np
import pytest

from adversarial.layers.positive import finite, positive, positive_whole


@pytest.mark.parametrize("value", [1, 7, np.int64(3)])
def test_whole_numbers_above_0_are_returned_as_int(value):
    found = positive_whole("n", value)
    assert type(found) is int
    assert found == value


@pytest.mark.parametrize("value", [0, -2, 1.0, True, "3", None])
def test_anything_else_is_an_error_that_names_the_argument(value):
    with pytest.raises(ValueError, match="`n` must be a whole number above 0"):
        positive_whole("n", value)


@pytest.mark.parametrize("value", [1, 1e-12, np.float32(0.5)])
def test_numbers_above_0_are_returned_as_float(value):
    found = positive("x", value)
    assert type(found) is float
    assert found == value


@pytest.mark.parametrize(
    "value", [0, -1.0, float("inf"), float("nan"), True, "1", None]
)
def test_numbers_that_are_not_are_an_error(value):
    with pytest.raises(ValueError, match="`x` must be a finite number above"):
        positive("x", value)


def test_a_bool_and_an_infinity_are_no_finite_numbers():
    assert finite(-2) and finite(0.0)
    assert not any(map(finite, (True, float("inf"), float("nan"), "1", None)))
