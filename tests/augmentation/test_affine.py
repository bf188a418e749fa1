import math

import numpy as np
from engines import array, tensor
from keras import ops

from adversarial.augmentation.affine import (
    Affine,
    along,
    scaling,
    shifting,
    spinning,
    turning,
)

RNG = np.random.default_rng(0)
EXACT = 1e-12
"""A few operations in double precision on numbers of the order of 1."""


def columns(*values):
    return [tensor(v, "float64")[:, None] for v in values]


def homogeneous(affine, n):
    """One matrix per image, on vectors that end in 1."""
    k = affine.offset.shape[1]
    found = np.zeros((n, k + 1, k + 1))
    found[:, :k, :k] = affine.linear
    found[:, :k, k] = affine.offset
    found[:, k, k] = 1
    return found


def test_one_map_after_another_is_the_product_of_matrices():
    for k in (2, 3):
        maps = [
            Affine(*(tensor(RNG.normal(size=s)) for s in ((4, k, k), (4, k))))
            for _ in range(2)
        ]
        found = homogeneous(maps[0].after(maps[1]), 4)
        expected = homogeneous(maps[0], 4) @ homogeneous(maps[1], 4)
        np.testing.assert_allclose(found, expected, atol=EXACT)


def test_a_map_of_one_image_acts_on_all():
    one = shifting(tensor([[1.0, 2.0]], "float64"))
    several = shifting(tensor(RNG.normal(size=(4, 2))))
    found = one.after(several).offset
    np.testing.assert_allclose(
        found, np.add(array(several.offset), [1.0, 2.0]), atol=EXACT
    )


def test_scaling_is_a_diagonal():
    x, y = RNG.normal(size=(2, 4))
    found = homogeneous(scaling(columns(x, y)), 4)
    for n in range(4):
        np.testing.assert_array_equal(found[n], np.diag([x[n], y[n], 1]))


def test_shifting_adds():
    offset = RNG.normal(size=(4, 2))
    found = homogeneous(shifting(tensor(offset)), 4)
    vector = np.array([0.3, 0.4, 1.0])
    np.testing.assert_array_equal((found @ vector)[:, :2], offset + vector[:2])


def test_turning_goes_from_the_first_axis_to_the_second():
    angle = RNG.normal(size=4)
    found = homogeneous(turning(*columns(np.cos(angle), np.sin(angle))), 4)
    for n in range(4):
        z = complex(0.3, 0.4) * np.exp(1j * angle[n])
        np.testing.assert_allclose(
            found[n] @ [0.3, 0.4, 1.0], [z.real, z.imag, 1], atol=EXACT
        )


def test_along_an_axis_only_that_part_is_scaled():
    axis = np.array([1.0, 2.0, -1.0])
    s, t = RNG.normal(size=(2, 4))
    found = array(along(axis, *columns(s, t)).linear)
    across = np.cross(axis, [0.3, 0.1, 0.2])
    for n in range(4):
        np.testing.assert_allclose(found[n] @ axis, s[n] * axis, atol=EXACT)
        np.testing.assert_allclose(found[n] @ across, t[n] * across, atol=EXACT)


def test_spinning_keeps_the_axis_and_turns_the_rest_by_the_right_hand():
    axis = np.ones(3)
    angle = RNG.normal(size=4)
    found = spinning(axis, *columns(np.cos(angle), np.sin(angle)))
    matrices = array(found.linear)
    for n in range(4):
        np.testing.assert_allclose(matrices[n] @ axis, axis, atol=EXACT)
        np.testing.assert_allclose(
            matrices[n] @ matrices[n].T, np.eye(3), atol=EXACT
        )
        a = np.array([1.0, -1.0, 0.0])
        cross = np.cross(axis / math.sqrt(3), a)
        expected = np.cos(angle[n]) * a + np.sin(angle[n]) * cross
        np.testing.assert_allclose(matrices[n] @ a, expected, atol=EXACT)


def test_neutral_values_give_exactly_the_identity():
    one, zero = (ops.full((4, 1), x, "float32") for x in (1.0, 0.0))
    for found, k in (
        (scaling([one, one]), 2),
        (shifting(ops.zeros((4, 2))), 2),
        (turning(one, zero), 2),
        (along((1, 1, 1), one, one), 3),
        (spinning((1, 1, 1), one, zero), 3),
    ):
        expected = np.broadcast_to(np.eye(k + 1), (4, k + 1, k + 1))
        np.testing.assert_array_equal(homogeneous(found, 4), expected)
