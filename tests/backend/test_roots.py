import keras
import numpy as np
import pytest
from engines import array, slopes, tensor
from keras.src.optimizers import adam

from adversarial import backend
from adversarial.backend.roots import root, smooth_roots


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_values_are_those_of_the_square_root(dtype):
    x = np.concatenate([[0.0], np.geomspace(1e-300, 1e300, 601), [np.inf]])
    x = tensor(x.clip(0, np.finfo(dtype).max).astype(dtype))
    assert np.array_equal(array(root(x)), array(keras.ops.sqrt(x)))
    assert np.isnan(array(root(tensor([-1.0, np.nan])))).all()


def test_the_slopes_are_those_of_the_square_root_and_zero_at_zero():
    x = np.array([0.0, 1e-30, 4.0])

    def slope(x):
        return backend.gradient(lambda y: keras.ops.sum(root(y)), [x])[0]

    (bend,) = slopes(lambda x: keras.ops.sum(slope(x)), x)
    np.testing.assert_allclose(
        array(slope(tensor(x))), [0.0, 0.5e15, 0.25], rtol=1e-15
    )
    np.testing.assert_allclose(bend, [0.0, -0.25e45, -1 / 32], rtol=1e-15)


def test_keras_still_needs_it():
    """If this fails, Keras was mended, and the module can go."""
    (slope,) = slopes(keras.ops.sqrt, 0.0)
    assert np.isinf(slope)


def test_it_is_seen_where_optimizers_look_it_up_and_only_inside():
    """backend/roots.py: `adam.ops` is `keras.src.ops`."""
    before = keras.ops.sqrt
    assert adam.ops.sqrt is before
    with smooth_roots():
        assert adam.ops.sqrt is root and keras.ops.sqrt is root
        assert float(root(tensor(4.0))) == 2
    assert adam.ops.sqrt is before and keras.ops.sqrt is before
    with pytest.raises(RuntimeError), smooth_roots():
        raise RuntimeError
    assert adam.ops.sqrt is before and keras.ops.sqrt is before
