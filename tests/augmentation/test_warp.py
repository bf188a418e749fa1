import numpy as np
import pytest
from engines import array, dtype_of, tensor
from scipy import ndimage

from adversarial.augmentation.affine import Affine
from adversarial.augmentation.warp import mirrored, warped

RNG = np.random.default_rng(0)
EXACT = 1e-12
"""A few operations in double precision on numbers of the order of 1."""


def source(linear, offset):
    return Affine(tensor(linear), tensor(offset))


def expected_of(image, linear, offset):
    """By SciPy: places (row, column) from the corner, mirrored at the ends."""
    center = (np.array(image.shape[:2]) - 1) / 2
    swapped = linear[::-1, ::-1]
    at = center - swapped @ center + offset[::-1]
    return np.stack(
        [
            ndimage.affine_transform(
                image[..., c], swapped, at, order=1, mode="mirror"
            )
            for c in range(image.shape[-1])
        ],
        axis=-1,
    )


@pytest.mark.parametrize("size", [(6, 6), (5, 8), (7, 4), (2, 3)])
def test_warped_images_are_those_of_scipy(size):
    images = RNG.normal(size=(5, *size, 3))
    linear = np.eye(2) + 0.7 * RNG.normal(size=(5, 2, 2))
    offset = 6 * RNG.normal(size=(5, 2))
    found = warped(images, source(linear, offset))
    for n in range(5):
        wanted = expected_of(images[n], linear[n], offset[n])
        np.testing.assert_allclose(found[n], wanted, atol=EXACT)


def test_whole_places_give_the_pixels_themselves():
    images = RNG.normal(size=(2, 6, 6, 1)).astype("float32")
    turn = np.array([[[0, -1], [1, 0]]] * 2, "float32")
    found = warped(images, source(turn, np.zeros((2, 2), "float32")))
    np.testing.assert_array_equal(found, np.rot90(images, axes=(1, 2)))
    stay = np.zeros((2, 2), "float32")
    same = warped(images, source(np.eye(2, dtype="float32")[None], stay))
    np.testing.assert_array_equal(same, images)


def test_mirrors_do_not_repeat_the_edge():
    found = mirrored(tensor(np.arange(-9.0, 10)), tensor(4.0, "float64"))
    np.testing.assert_array_equal(
        found,
        [3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2, 3],
    )
    assert dtype_of(found) == "int32"


def test_one_pixel_is_its_own_mirror_image():
    found = mirrored(tensor(np.arange(-3.0, 4)), tensor(1.0, "float64"))
    np.testing.assert_array_equal(found, np.zeros(7))


def test_far_places_stay_inside():
    far = np.array([-3e9, 1e12, 7.7e8], "float32")
    found = array(mirrored(tensor(far), tensor(7.0)))
    assert ((found >= 0) & (found < 7)).all()


@pytest.mark.parametrize("jit", [False, True])
def test_derivatives_are_those_of_central_differences(jit, check_derivatives):
    images = RNG.normal(size=(2, 4, 5, 2))
    linear = np.eye(2) + 0.5 * RNG.normal(size=(2, 2, 2))
    at = source(linear, RNG.normal(size=(2, 2)))
    check_derivatives(lambda x: warped(x, at), images, jit)
