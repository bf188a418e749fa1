import numpy as np
import pytest
from engines import array

from adversarial.augmentation.cutting import (
    blanked,
    column,
    grid,
    pixels_at,
    shifted,
)

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(3, 4, 5, 2))


def test_pixels_come_from_the_places_that_are_named():
    rows = RNG.integers(4, size=(3, 6, 7)).astype("int32")
    columns = RNG.integers(5, size=(3, 6, 7)).astype("int32")
    found = pixels_at(IMAGES, rows, columns)
    assert found.shape == (3, 6, 7, 2)
    for n, i, j in np.ndindex(3, 6, 7):
        expected = IMAGES[n, rows[n, i, j], columns[n, i, j]]
        np.testing.assert_array_equal(found[n, i, j], expected)


def test_the_grid_numbers_rows_and_columns():
    rows, columns = grid(IMAGES)
    np.testing.assert_array_equal(rows, np.arange(4.0)[None, :, None])
    np.testing.assert_array_equal(columns, np.arange(5.0)[None, None])


def test_a_column_can_be_compared_with_the_grid():
    x = RNG.normal(size=(3, 2))
    np.testing.assert_array_equal(column(x, 1), x[:, 1][:, None, None])


@pytest.mark.parametrize("fill", [0.0, 0.5])
def test_shifted_images_are_those_of_a_copied_window(fill):
    shift = np.array([[1, -2], [-3, 4], [0, 0]])
    found = shifted(IMAGES, shift.astype("float64"), fill)
    for n, (down, right) in enumerate(shift):
        expected = np.full((4, 5, 2), fill)
        for i, j in np.ndindex(4, 5):
            if 0 <= i - down < 4 and 0 <= j - right < 5:
                expected[i, j] = IMAGES[n, i - down, j - right]
        np.testing.assert_array_equal(found[n], expected)


def test_a_hole_is_filled():
    hole = RNG.random((3, 4, 5)) < 0.5
    found = array(blanked(IMAGES, hole, 0.25))
    np.testing.assert_array_equal(found[~hole], IMAGES[~hole])
    assert (found[hole] == 0.25).all()
