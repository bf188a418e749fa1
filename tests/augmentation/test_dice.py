import keras
import numpy as np
import pytest
from engines import array, dtype_of, tensor

from adversarial.augmentation.dice import Dice, whole


def dice(shape=(6, 5, 4, 3), dtype="float32"):
    return Dice(keras.random.SeedGenerator(1), shape, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_there_is_a_row_per_image_in_the_dtype_that_was_asked_for(dtype):
    it = dice(dtype=dtype)
    for found, shape in (
        (it.uniform(7), (6, 7)),
        (it.normal(2), (6, 2)),
        (it.field(), (6, 5, 4, 3)),
    ):
        assert found.shape == shape
        assert dtype_of(found) == dtype
    assert [float(n) for n in it.sizes] == [5.0, 4.0]


def test_every_draw_is_another():
    it = dice()
    both = np.concatenate([it.uniform(7), it.uniform(7)])
    assert len(np.unique(both)) == both.size


def test_whole_numbers_begin_at_the_lowest_and_end_before_the_count():
    almost = np.nextafter(np.float32(1), np.float32(0))
    for count in (1, 2, 3, 7, 255, 1000, 4095):
        u = tensor([0.0, 0.5 / count, almost], "float32")
        found = array(whole(u, -3, count))
        np.testing.assert_array_equal(found, [-3, -3, count - 4])


def test_whole_numbers_are_equally_likely():
    n, count = 70_000, 7
    found = array(whole(dice((n, 1, 1, 1)).uniform(1), 2, count)).ravel()
    values, times = np.unique(found, return_counts=True)
    np.testing.assert_array_equal(values, np.arange(2, 9))
    # Chi-square with 6 degrees of freedom: above 30 once in 25,000 draws.
    assert ((times - n / count) ** 2 / (n / count)).sum() < 30
