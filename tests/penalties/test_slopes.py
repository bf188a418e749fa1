import keras
import numpy as np
import pytest
from engines import slopes, tensor
from keras import ops

from adversarial import backend
from adversarial.penalties.slopes import between, norms, pair_of, squared_norms

RNG = np.random.default_rng(0)
PARTS = [RNG.normal(size=(4, 3, 2)), RNG.normal(size=(4,))]
FLAT = np.concatenate([PARTS[0].reshape(4, -1), PARTS[1][:, None]], axis=1)


def tensors(parts, dtype="float64"):
    return [tensor(x, dtype) for x in parts]


def test_squares_are_added_over_everything_but_the_batch():
    found = squared_norms(tensors(PARTS))
    np.testing.assert_allclose(found, (FLAT**2).sum(axis=1), rtol=1e-14)


def test_a_norm_is_the_root_of_that():
    found = norms(tensors(PARTS))
    np.testing.assert_allclose(found, np.linalg.norm(FLAT, axis=1), rtol=1e-14)


@pytest.mark.parametrize("size", [1e-25, 1e-12, 1e25])
def test_norms_hold_where_squares_do_not(size):
    found = norms(tensors([size * FLAT], "float32"))
    expected = size * np.linalg.norm(FLAT, axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_derivatives_of_a_norm_are_those_of_the_root_and_0_at_0():
    x = np.array([[3.0, 4.0], [0.0, 0.0], [0.0, 2.0]])

    def total(x):
        return ops.sum(norms([x]))

    def column(number):
        def slope(x):
            return ops.sum(backend.gradient(total, [x])[0][:, number])

        return slopes(slope, x)[0]

    found = norms([tensor(x)])
    (gradient,) = slopes(total, x)
    # Each sample has its own second derivatives.
    second = np.stack([column(0), column(1)], axis=1)
    np.testing.assert_array_equal(found, [5, 0, 2])
    np.testing.assert_allclose(gradient, [[0.6, 0.8], [0, 0], [0, 1]])
    # I / |x| - x x^T / |x|^3
    curved = [[0.2 - 9 / 125, -12 / 125], [-12 / 125, 0.2 - 16 / 125]]
    expected = [curved, np.zeros((2, 2)), [[0.5, 0], [0, 0]]]
    np.testing.assert_allclose(second, expected, atol=1e-15)


def test_a_sample_between_two_lies_on_their_line():
    real = {"a": np.zeros((5, 2)), "b": np.ones((5, 3, 1))}
    fake = {"a": np.ones((5, 2)), "b": np.full((5, 3, 1), 3.0)}
    wrap = lambda parts: {k: tensor(x) for k, x in parts.items()}  # noqa: E731
    found = between(wrap(real), wrap(fake), keras.random.SeedGenerator(0))
    u = np.asarray(found["a"])[:, 0]
    assert len(set(u)) == 5
    np.testing.assert_array_equal(found["a"], np.stack([u, u], axis=1))
    np.testing.assert_allclose(
        found["b"], np.tile(1 + 2 * u[:, None, None], (1, 3, 1))
    )


def test_a_pair_is_two_of_the_same_shapes():
    x, y = ops.zeros((3, 2)), ops.zeros((3, 4))
    assert pair_of("P", [x, x]) == (x, x)
    assert pair_of("P", ([x, y], [x, y])) == ([x, y], [x, y])
    unknown = keras.KerasTensor((None, 2))
    assert pair_of("P", [unknown, x])[0] is unknown
    for other in (x, [x], [x, y], [[x, y], [y, x]], [[x, y], [x]]):
        with pytest.raises(ValueError, match="`P` is called on real and fake"):
            pair_of("P", other)
